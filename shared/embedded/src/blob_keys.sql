-- Objects are encrypted: what opens an object's file, under the key file. NULL: stored in the clear by an
-- earlier version. kms_key: the key of the caller's choice that it stands under besides.
ALTER TABLE blobs ADD COLUMN wrapped_key BLOB;
ALTER TABLE blobs ADD COLUMN kms_key TEXT;
