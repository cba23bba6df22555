"""Whether a message is one of Microsoft's Voice Live API: the models of the package ``azure-ai-voicelive`` say it.

They are written for reading, and take anything: what they declare is held against the message here.
"""

from __future__ import annotations

import enum
import json
import types
import typing
from typing import Any, Literal, Union, get_args, get_origin

import azure.ai.voicelive._unions as unions
import azure.ai.voicelive.models as models
from azure.ai.voicelive._utils.model_base import _RestField

_NAMES: dict[str, Any] = {**vars(typing), **vars(models), "_models": models, "_unions": unions}
# bytes travel in base64
_PLAIN: dict[Any, tuple[type, ...]] = {str: (str,), bytes: (str,), bool: (bool,), int: (int,), float: (int, float)}


def check_voice_live_client(message: str | bytes) -> None:
    """Raise ValueError where a client must not send this."""
    _check_model(models.ClientEvent, json.loads(message), "")


def check_voice_live_server(message: str | bytes) -> None:
    """Raise ValueError where a server does not send this."""
    _check_model(models.ServerEvent, json.loads(message), "")


def _check_model(model: Any, value: Any, path: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{path or 'the message'} is {value!r}, and not an object")
    model = _discriminated(model, value, path)
    declared = _declared(model)
    if unknown := value.keys() - declared.keys():
        raise ValueError(f"{model.__name__} has keys that nobody knows: {', '.join(sorted(unknown))}")
    for name, form in declared.items():
        if name in value:
            _check_value(form, value[name], f"{path}{name}.")
        elif type(None) not in get_args(form) and name != "event_id":
            raise ValueError(f"{model.__name__} lacks {name}")


def _discriminated(model: Any, value: dict[str, Any], path: str) -> Any:
    """Return the model among those derived from this one that the value says it is."""
    while table := vars(model).get("__mapping__"):
        keys = [name for name, field in _rest_fields(model).items() if field._is_discriminator]
        found = next((table[value[key]] for key in keys if value.get(key) in table), None)
        if found is None or found is model:
            if keys and all(one is not model for one in table.values()) and len(table) > 1:
                raise ValueError(f"{path or 'the message'} is of no known type: {[value.get(key) for key in keys]}")
            break
        model = found
    return model


def _rest_fields(model: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for base in reversed(model.__mro__):
        made.update({name: field for name, field in vars(base).items() if isinstance(field, _RestField)})
    return made


def _declared(model: Any) -> dict[str, Any]:
    forms: dict[str, Any] = {}
    for base in reversed(model.__mro__):
        for name, form in vars(base).get("__annotations__", {}).items():
            if not name.startswith("_"):
                forms[name] = eval(form, _NAMES) if isinstance(form, str) else form
    names = {name: field._rest_name_input or name for name, field in _rest_fields(model).items()}
    return {names.get(name, name): form for name, form in forms.items()}


def _check_value(form: Any, value: Any, path: str) -> None:
    if isinstance(form, (str, typing.ForwardRef)):
        form = eval(form if isinstance(form, str) else form.__forward_arg__, _NAMES)
    origin = get_origin(form)
    if origin in (Union, types.UnionType):
        _check_one_of(get_args(form), value, path)
    elif origin is Literal:
        if value not in get_args(form):
            raise ValueError(f"{path} is {value!r}, and not one of {get_args(form)}")
    elif origin is list:
        if not isinstance(value, list):
            raise ValueError(f"{path} is {value!r}, and not a list")
        for one in value:
            _check_value(get_args(form)[0], one, path)
    elif origin is dict or form is Any:
        if origin is dict and not isinstance(value, dict):
            raise ValueError(f"{path} is {value!r}, and not an object")
    elif form is type(None) or value is None:
        if not (form is type(None) and value is None):
            raise ValueError(f"{path} is {value!r}")
    elif form in _PLAIN:
        if not isinstance(value, _PLAIN[form]) or isinstance(value, bool) != (form is bool):
            raise ValueError(f"{path} is {value!r}, and not {form.__name__}")
    elif issubclass(form, enum.Enum):
        form(value)
    else:
        _check_model(form, value, path)


def _check_one_of(forms: Any, value: Any, path: str) -> None:
    faults = []
    enums = [form for form in forms if isinstance(form, typing.ForwardRef) and form.__forward_arg__.count(".") == 1]
    for form in forms:
        if form is str and any(_is_enum(one) for one in enums):
            continue  # the type that knows the words says which there are
        try:
            _check_value(form, value, path)
            return
        except ValueError as error:
            faults.append(str(error))
    raise ValueError(f"{path} is none of what it may be: {'; '.join(faults)}")


def _is_enum(form: typing.ForwardRef) -> bool:
    known = eval(form.__forward_arg__, _NAMES)
    return isinstance(known, type) and issubclass(known, enum.Enum)
