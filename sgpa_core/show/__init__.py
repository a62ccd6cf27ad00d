"""The first ring: pictures, listen-and-see players, widgets, exports. Imports the core."""
