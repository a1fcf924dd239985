from d2ace.pipeline.common.errors import DataError, did_you_mean


def test_errors_name_the_place():
    assert str(DataError.at("a.csv", 3, "bad")) == "a.csv:3: bad"
    assert str(DataError.at("a.csv", None, "bad")) == "a.csv: bad"


def test_did_you_mean_does_not_list_a_thousand_names():
    names = [f"word{index}" for index in range(1000)]
    assert did_you_mean("wrod7", names) == "; did you mean 'word7'?"
    assert did_you_mean("xyz", names).endswith(", ... (1000 in all)")
    assert len(did_you_mean("xyz", names)) < 150
    assert did_you_mean("xyz", ["a", "b"]) == "; known: a, b"
