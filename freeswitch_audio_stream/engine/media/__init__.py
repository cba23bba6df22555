"""The stream and its call: media bugs, the media paths in the compiled core, conversion."""
