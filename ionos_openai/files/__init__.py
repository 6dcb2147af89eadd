"""Picture formats, file names, and writing so that nothing is ever torn, lost or overwritten.

- `formats`: what the bytes of a picture say;
- `names`: what a file is called;
- `writing`: whole or not at all;
- `locks`: one process at a time.
"""
