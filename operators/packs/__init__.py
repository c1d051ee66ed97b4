"""Rule packs and the default policy: data files, read by ``flows.policies``."""
