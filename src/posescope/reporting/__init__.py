"""What people look at: figures made from plain tables, and one self-contained HTML page that holds them."""
