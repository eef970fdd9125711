package nexmark_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	nexmark "tarn/.ci/nexmark"
)

// What a seed gives is known to others who measure with it: these are the files of 200,000 events of seed 42.
var known = map[string]string{
	"auction/p0.json": "a70d0720721ffd27894fa329828da5de90dfd6f2671809a3eafcd414f5bb33b9",
	"auction/p1.json": "64c5ace7730374dd72d5f6e79340e83e9c24dccc21c029b28872386888469f50",
	"bid/p0.json":     "ae286fbe79881dc3de854a47cfb09f4e40d5758e88c4d9fe985b6bf129917498",
	"bid/p1.json":     "e523cb8c53e704901a2f08261cefdffa709d29f3b12879033ae6114b7c4f4c0a",
	"person/p0.json":  "d0c63d83c5e2f63f83e08a5d38a15a728ee06d17914f10479dc04f87cf6b8c02",
	"person/p1.json":  "13ae7a42fbba8b357892979993fdec4bca8834d12a79344eb8884a94180635bc",
}

func TestBytesOfASeed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "events")
	if err := nexmark.WriteFiles(dir, 200_000, 42); err != nil {
		t.Fatal(err)
	}
	for name, want := range known {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s: sha256 %x, want %s\n%.300s", name, sum, want, content)
		}
	}
	if err := nexmark.WriteFiles(dir, 10, 42); err == nil {
		t.Error("files that are there were written over")
	}
}

func TestEventsAreWhatTheySay(t *testing.T) {
	counts, last := map[string]int{}, int64(0)
	for e := range nexmark.Events(500, 7) {
		var v struct {
			DateTime time.Time
			Extra    string
		}
		if err := json.Unmarshal(e.Value, &v); err != nil {
			t.Fatalf("%s: %v", e.Value, err)
		}
		if v.DateTime.UnixMilli() != e.Millis || e.Millis < last || v.Extra == "" {
			t.Fatalf("%s has time %d, after %d", e.Value, e.Millis, last)
		}
		last = e.Millis
		counts[e.Topic]++
	}
	if counts["person"] != 10 || counts["auction"] != 30 || counts["bid"] != 460 {
		t.Errorf("%v", counts)
	}
}
