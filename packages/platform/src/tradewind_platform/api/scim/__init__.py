"""SCIM 2.0: what an identity provider asks. A SCIM token says which organization it is; errors have SCIM's form."""
