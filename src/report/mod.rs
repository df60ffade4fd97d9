//! What people look at: records in, tables and one self-contained page out. Reads nothing but records.
