"""Aliases of genes are symbols of no other gene, in small letters, and read whole."""

from scanvi_core.data.genes.aliases import ALIASES, SPELLED, symbols_of


def test_what_people_write_leads_to_the_symbol_of_both_species():
    assert symbols_of("CD20") == ("ms4a1",)
    assert symbols_of(" cd16 ") == ("fcgr3a", "fcgr3")
    assert symbols_of("NK1.1") == ("klrb1c", "klrb1")
    assert symbols_of("no gene") == ()


def test_the_table_is_whole():
    assert len(ALIASES) == len(SPELLED) > 250
    assert all(symbols and all(symbols) for symbols in ALIASES.values())
    assert all(";" not in symbol for symbols in ALIASES.values() for symbol in symbols)
