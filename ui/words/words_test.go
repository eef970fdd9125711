package words_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"tarn/ui/words"
)

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		text            words.Text
		english, french string
	}{
		{words.Count(0), "0", "0"},
		{words.Count(999), "999", "999"},
		{words.Count(1000), "1 000", "1 000"},
		{words.Count(-1234567), "-1 234 567", "-1 234 567"},
		{words.Bytes(999), "999 B", "999 o"},
		{words.Bytes(1000), "1 kB", "1 ko"},
		{words.Bytes(999_600), "1 MB", "1 Mo"},
		{words.Bytes(8_610_000_000), "8.61 GB", "8,61 Go"},
		{words.Millis(0), "0 ms", "0 ms"},
		{words.Millis(999), "999 ms", "999 ms"},
		{words.Millis(4200), "4.2 s", "4,2 s"},
		{words.Millis(59_999), "59 s", "59 s"},
		{words.Millis(95_000), "95 s", "95 s"},
		{words.Millis(600_000), "10 min", "10 min"},
		{words.Millis(7_200_000), "2 h", "2 h"},
		{words.Millis(1_000_000_000), "11 d", "11 j"},
		{words.Rate(nil), "-", "-"},
		{words.Percent(0.0004), "< 0.1 %", "< 0,1 %"},
		{words.Percent(0.051), "5.1 %", "5,1 %"},
		{words.Percent(1), "100 %", "100 %"},
		{words.Rate(new(0.01)), "0 /s", "0 /s"},
		{words.Rate(new(4.25)), "4.2 /s", "4,2 /s"},
		{words.Rate(new(9000.0)), "9 000 /s", "9 000 /s"},
		{words.Rate(new(12_345.0)), "12.3 k /s", "12,3 k /s"},
		{words.RowsRate(new(2_500_000.0)), "2.5 M rows/s", "2,5 M lignes/s"},
		{words.Optional[int64](nil, words.Count), "-", "-"},
		{words.Many(0, "%s row", "%s rows"), "0 rows", "0 ligne"},
		{words.Many(1, "%s row", "%s rows"), "1 row", "1 ligne"},
		{words.Many(1200, "%s row", "%s rows"), "1 200 rows", "1 200 lignes"},
		{words.Say("%s behind", words.Millis(4200)), "4.2 s behind", "retard 4,2 s"},
		{words.Say("table %s", "%s of Tables"), "table %s of Tables", "table %s of Tables"},
		{words.Join(", ", words.Text{}, words.Say("no"), words.Plain(""), words.State("paused")), "no, paused", "non, en pause"},
		{words.State("never heard of"), "never heard of", "never heard of"},
		{words.Plain("Tables"), "Tables", "Tables"},
	} {
		for l, want := range map[words.Language]string{words.English: c.english, words.French: c.french} {
			if got := strings.ReplaceAll(c.text.In(l), "\u202f", " "); got != want {
				t.Errorf("%s: %q, want %q", l, got, want)
			}
		}
	}
}

func TestALanguageIsChosen(t *testing.T) {
	for _, c := range []struct {
		query, cookie, accept string
		want                  words.Language
	}{
		{"", "", "", words.English},
		{"", "", "fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", words.French},
		{"", "", "en-GB,en;q=0.9,fr;q=0.8", words.English},
		{"", "", "de, fr;q=0.3, en;q=0.2", words.French},
		{"", "", "de, nonsense;q=x, fr;q=y", words.English},
		{"", "", strings.Repeat("de,", 1000) + "fr", words.English},
		{"", "en", "fr", words.English},
		{"", "fr", "en", words.French},
		{"", "<img>", "fr", words.French},
		{"?lang=fr", "en", "en", words.French},
		{"?lang=xx", "", "fr", words.French},
	} {
		r := httptest.NewRequest("GET", "/"+c.query, nil)
		r.Header.Set("Accept-Language", c.accept)
		if c.cookie != "" {
			r.Header.Set("Cookie", "tarn_lang="+c.cookie)
		}
		if got := words.Choose(r); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
		w := httptest.NewRecorder()
		words.Keep(w, r)
		if kept := w.Header().Get("Set-Cookie"); (kept != "") != (c.query == "?lang=fr") {
			t.Errorf("%+v keeps %q", c, kept)
		}
	}
}

func FuzzNumbers(f *testing.F) {
	f.Add(int64(0))
	f.Add(int64(999_999_999))
	f.Fuzz(func(t *testing.T, n int64) {
		for _, text := range []words.Text{words.Count(n), words.Bytes(max(n, 0)), words.Millis(max(n, 0) % (1 << 50))} {
			for _, l := range []words.Language{words.English, words.French} {
				if got := text.In(l); got == "" || strings.Contains(got, "NaN") || strings.Contains(got, "e+") {
					t.Errorf("%d: %q", n, got)
				}
			}
		}
	})
}
