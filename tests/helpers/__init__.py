"""What several tests share: small networks, data, runs of the tools, naive oracles."""
