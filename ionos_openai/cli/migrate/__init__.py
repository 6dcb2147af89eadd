"""Code written for OpenAI's image models: what it meets on IONOS, and the safe part of the changes made."""
