"""``doctor --noise``: a guest held against itself, by the real engine with stand-ins."""


def test_doctor_boots_the_given_guest_against_itself_and_keeps_nothing_of_it(run, arguments):
    code, out, err = run("doctor", "--noise", "--runs", "6", *arguments(1, "boot=0.02"))

    assert code == 0, out + err
    assert "12 storms of the same, 12 boots; storms differ by " in out
    assert "A against A" in out
    assert "Booting 6 pairs of storms of 1 VM, after one to warm up" in err
    assert "No run has been kept" in run("history")[1]


def test_what_goes_with_noise_is_refused_without_it(run):
    code, _, err = run("doctor", "--runs", "6")

    assert code == 2
    assert "go with --noise" in err
