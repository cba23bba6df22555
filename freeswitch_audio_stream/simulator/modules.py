"""Modules of the embedded switch: registered from C, found by name, locked while in use, unloaded."""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass, field
from typing import Any, Callable

from ..switch import layouts
from ..switch.constants import INTERFACE_API, LogLevel, Status
from .locks import C, make_mutex, make_rwlock
from .pool import Pool
from .records import LOCK_BYTES

Log = Callable[[LogLevel, str], None]


@dataclass
class LoadedModule:
    """One module: its memory, and the addresses of its interface and its shutdown function."""
    name: str
    pool: Pool
    interface: int
    shutdown: int

    def interfaces(self, kind: str) -> list[int]:
        """The addresses in the list `kind` (``api_interface`` or ``application_interface``)."""
        found = []
        address = getattr(layouts.ModuleInterface.from_address(self.interface), kind)
        while address:
            found.append(address)
            address = _LAYOUTS[kind].from_address(address).next
        return found


_LAYOUTS: dict[str, Any] = {"api_interface": layouts.ApiInterface,
                            "application_interface": layouts.ApplicationInterface}


@dataclass
class Modules:
    """The loaded modules and the tables of their interfaces, by name."""

    log: Log
    allowlist: set[str] | None = None
    """Where set, only the interfaces of modules named in it are registered (FreeSWITCH's
    interface-allowlist).
    """
    loaded: dict[str, LoadedModule] = field(default_factory=dict)
    completions: list[str] = field(default_factory=list)
    _tables: dict[str, dict[str, int]] = field(
        default_factory=lambda: {"api_interface": {}, "application_interface": {}})
    _lock: threading.RLock = field(default_factory=threading.RLock)

    # Use

    def hold(self, kind: str, name: str) -> int:
        """The interface `name` of `kind`, locked against unloading; 0 where there is none."""
        with self._lock:
            address = self._tables[kind].get(name, 0)
            if address:
                self._each_lock(kind, address, C.pthread_rwlock_rdlock, 1)
            return address

    def release(self, kind: str, address: int) -> None:
        """Undo `hold`, on the same thread."""
        self._each_lock(kind, address, C.pthread_rwlock_unlock, -1)

    def _each_lock(self, kind: str, address: int, change: Callable[[int], int], count: int) -> None:
        interface = _LAYOUTS[kind].from_address(address)
        parent = layouts.ModuleInterface.from_address(interface.parent)
        C.pthread_mutex_lock(interface.reflock)
        change(interface.rwlock)
        change(parent.rwlock)
        interface.refs += count
        parent.refs += count
        C.pthread_mutex_unlock(interface.reflock)

    def command(self, name: str, arguments: str, session: int | None) -> str | None:
        """Run API command `name` and answer what it wrote; None where there is no such command."""
        address = self.hold("api_interface", name)
        if not address:
            return None
        answer: list[bytes] = []

        def write(stream: int, data: bytes, size: int) -> int:
            answer.append(data[:size])
            return Status.SUCCESS

        raw_write = layouts.RawWriteFunction(write)
        handle = layouts.StreamHandle(raw_write_function=ctypes.cast(raw_write, ctypes.c_void_p).value)
        try:
            function = layouts.ApiFunction(layouts.ApiInterface.from_address(address).function)
            if function(arguments.strip().encode(), session, ctypes.addressof(handle)) != Status.SUCCESS:
                answer.append(b"COMMAND RETURNED ERROR!\n")
        finally:
            self.release("api_interface", address)
        return b"".join(answer).decode("utf-8", "replace")

    def application(self, name: str, data: str, session: int) -> bool:
        """Run dialplan application `name` on this thread, the session's; False where there is none."""
        address = self.hold("application_interface", name)
        if not address:
            return False
        try:
            interface = layouts.ApplicationInterface.from_address(address)
            layouts.ApplicationFunction(interface.function)(session, data.encode())
        finally:
            self.release("application_interface", address)
        return True

    # Loading and unloading

    def unload(self, name: str) -> str | None:
        """Shut a module down and forget it; return why not, or None when done."""
        with self._lock:
            module = self.loaded.get(name)
            if module is None:
                return "No such module!"
            rwlock = layouts.ModuleInterface.from_address(module.interface).rwlock
            if C.pthread_rwlock_trywrlock(rwlock) != 0:
                return "Module in use."
            del self.loaded[name]
        self.shut_down(module)
        C.pthread_rwlock_unlock(rwlock)
        return None

    def shut_down(self, module: LoadedModule) -> None:
        """Take a module's interfaces away and call its shutdown function, on this thread."""
        with self._lock:
            for kind, table in self._tables.items():
                for address in module.interfaces(kind):
                    name = _LAYOUTS[kind].from_address(address).interface_name.decode()
                    if table.get(name) == address:
                        del table[name]
        if module.shutdown:
            layouts.ShutdownFunction(module.shutdown)()

    # The C functions

    def c_build(self, name: bytes, load: int, runtime: int | None, shutdown: int, run: int) -> int:
        """``switch_loadable_module_build_dynamic``: the module's load function runs on the calling thread."""
        pool = Pool()
        Pool.by_handle[pool.handle] = pool
        interface = ctypes.c_void_p()
        try:
            status = layouts.LoadFunction(load)(ctypes.addressof(interface), pool.handle)
        finally:
            del Pool.by_handle[pool.handle]
        if status != Status.SUCCESS or not interface.value:
            return Status.GENERR
        module = LoadedModule(name.decode(), pool, interface.value, shutdown)
        with self._lock:
            self.loaded[module.name] = module
            if self.allowlist is not None and module.name not in self.allowlist:
                self.log(LogLevel.WARNING, f"Skipping {module.name}: not permitted by interface allowlist")
                return Status.SUCCESS
            for kind, table in self._tables.items():
                for address in module.interfaces(kind):
                    table[_LAYOUTS[kind].from_address(address).interface_name.decode()] = address
        return Status.SUCCESS

    def c_create_module(self, pool: int, name: bytes) -> int:
        """``switch_loadable_module_create_module_interface``"""
        memory = Pool.by_handle[pool]
        address = memory.alloc(ctypes.sizeof(layouts.ModuleInterface))
        interface = layouts.ModuleInterface.from_address(address)
        interface.pool = pool
        interface.rwlock = make_rwlock(memory.alloc(LOCK_BYTES))
        return address

    def c_create_interface(self, module: int, kind: int) -> int:
        """``switch_loadable_module_create_interface``"""
        parent = layouts.ModuleInterface.from_address(module)
        memory = Pool.by_handle[parent.pool]
        head = "api_interface" if kind == INTERFACE_API else "application_interface"
        address = memory.alloc(ctypes.sizeof(_LAYOUTS[head]))
        interface = _LAYOUTS[head].from_address(address)
        interface.rwlock = make_rwlock(memory.alloc(LOCK_BYTES))
        interface.reflock = make_mutex(memory.alloc(LOCK_BYTES))
        interface.parent = module
        interface.next = getattr(parent, head)
        setattr(parent, head, address)
        return address

    def c_unload(self, folder: bytes | None, name: bytes, force: int, reason: int) -> int:
        """``switch_loadable_module_unload_module``"""
        problem = self.unload(name.decode())
        if problem is None:
            return Status.SUCCESS
        ctypes.c_char_p.from_address(reason).value = _REASONS[problem]
        return Status.FALSE

    def c_exists(self, name: bytes) -> int:
        """``switch_loadable_module_exists``"""
        return Status.SUCCESS if name.decode() in self.loaded else Status.FALSE

    def c_get_api(self, name: bytes) -> int:
        """``switch_loadable_module_get_api_interface``: held until the caller unlocks it."""
        return self.hold("api_interface", name.decode())

    def c_get_application(self, name: bytes) -> int:
        """``switch_loadable_module_get_application_interface``: held until the caller unlocks it."""
        return self.hold("application_interface", name.decode())

    def c_set_complete(self, line: bytes) -> int:
        """``switch_console_set_complete``: ``add`` may add the same words again, ``del`` takes all away that begin so.
        """
        action, _, words = line.decode().partition(" ")
        if action == "del":
            self.completions = [kept for kept in self.completions if not f"{kept} ".startswith(f"add {words} ")]
        else:
            self.completions.append(line.decode())
        return Status.SUCCESS


# Their bytes must outlive the call that answers them.
_REASONS = {text: text.encode() for text in ("No such module!", "Module in use.")}
