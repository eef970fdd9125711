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
	f.Add("", "", "SELECT if(a, b), json_value(x, 'lax $.a[0].*' RETURNING integer DEFAULT 1 ON EMPTY NULL ON ERROR), json_query(x, 'strict $' WITH WRAPPER), json_object(KEY 'a' VALUE 1, 'b': ? ABSENT ON NULL) FROM \"t$files\"")
	f.Add("", "", "VALUES 1, ROW(2), (3) ORDER BY 1 OFFSET 1 ROWS FETCH FIRST 2 ROWS WITH TIES")
	f.Add("", "", "SELECT U&'\\00e9' UESCAPE '!', INTERVAL -'1 02:03' DAY TO MINUTE, 0x1F, lag(x) IGNORE NULLS OVER (), x AT TIME ZONE 'Asia/Tokyo', localtime(3), listagg(a, ',' ON OVERFLOW ERROR) WITHIN GROUP (ORDER BY a)")
	f.Add("", "", "SELECT U&'a' UESCAPE '', U&'a' UESCAPE 'ab'")
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
