//go:build duckdb_arrow

package trino

import (
	"net/http"
	"testing"
	"unicode/utf8"

	"tarn/embedded/sqltext"
)

// FuzzRequest gives the door what a client may send: headers of a session and a statement. Nothing may end it, and
// places of a rewritten statement are within what was sent.
func FuzzRequest(f *testing.F) {
	f.Add("p=SELECT+%3F, q=x", "a=1", "SELECT x'65', listagg(a, ',') WITHIN GROUP (ORDER BY a), CAST(? AS array(row(a bigint))) FROM system.jdbc.tables TABLESAMPLE BERNOULLI (1)")
	f.Add("=", "%zz", "select array( for timestamp as of timestamp '2026' , decimal '1.5")
	f.Fuzz(func(t *testing.T, prepared, settings, text string) {
		h := http.Header{}
		h.Set(headPrepared, prepared)
		h.Set(headSession, settings)
		s, err := readSession(h)
		if err != nil {
			return
		}
		_ = s.timeout()
		_ = typeNamed(text).signature()
		r, err := rewrite(text, s)
		if err != nil || !utf8.ValidString(text) {
			return
		}
		for i := 0; i <= len(r.text); i += 7 {
			if at := r.place(i); at < 0 || at > len(text) {
				t.Fatalf("place %d of %q is %d of %q", i, r.text, at, text)
			}
		}
		_, _ = sqltext.SubstituteMarks(text, func(int) string { return "1" })
		_ = splitList(text)
	})
}
