-- Who the person of a session is at this moment and was in its course, by su and sudo (JSON lists of
-- names), and what the key is called, with who says so (model.NamedBy).
ALTER TABLE session ADD COLUMN elevated_to TEXT;
ALTER TABLE session ADD COLUMN became TEXT;
ALTER TABLE session ADD COLUMN key_name TEXT;
ALTER TABLE session ADD COLUMN key_named_by TEXT;
