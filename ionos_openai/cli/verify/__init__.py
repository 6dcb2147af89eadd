"""`ionos-openai verify`: the sandbox's table of behaviours, asked of a service: where is the sandbox wrong?"""
