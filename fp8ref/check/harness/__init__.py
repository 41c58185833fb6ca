"""How an implementation is started, fed, watched and survived.  Nothing here knows what is right."""
