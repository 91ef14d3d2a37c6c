"""The networks as plain modules. Import from the files themselves: `architecture` (no torch) and `build`."""
