"""Tools of those who maintain the workbook: notebooks, archives, files."""
