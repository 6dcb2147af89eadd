"""A picture as a file: its format and name, and writing so that nothing is ever torn, lost or overwritten.

- `formats`: what the bytes of a picture say, block by block, and the same picture in another format;
- `names`: what a file is called, and what the arguments and the settings say of saving it;
- `writing`: whole or not at all;
- `opening`: what a stranger may have put there, and one holder at a time.
"""
