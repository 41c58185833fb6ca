"""Named behaviours: what a specification or a vendor's document asks, as data; no behaviour is computed here."""
