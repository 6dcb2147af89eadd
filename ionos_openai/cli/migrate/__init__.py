"""Code written for OpenAI's image models: what it meets on IONOS, and the safe part of the changes made.

Nothing is handed on from here, since all but `facts` needs libcst: import the modules themselves.
"""
