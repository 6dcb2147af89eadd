"""What all commands share: options, the client they make, printing, exit codes, and rescuing what was paid for."""
