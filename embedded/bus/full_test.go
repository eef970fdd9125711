package bus_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tarn/embedded/bus"
	"tarn/embedded/peertest"
	"tarn/embedded/record"
)

// TestADiskThatFillsUpUnderTheServerHeals fills a small disk behind the watch's back, as
// another program may between two looks.
func TestADiskThatFillsUpUnderTheServerHeals(t *testing.T) {
	mounted := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(mounted, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", mounted, "tmpfs", 0, "size=24m"); err != nil {
		peertest.Missing(t, "a small disk needs the right to mount, be root: "+err.Error())
	}
	defer func() {
		if err := unix.Unmount(mounted, 0); err != nil {
			t.Error(err)
		}
	}()
	h := open(t, func(o *bus.Options) {
		o.Dir = mounted
		o.WithAckTimeout(time.Second)
		o.WithFree(func(string) (uint64, error) { return 1 << 40, nil })
	})
	defer h.close()
	filler := filepath.Join(mounted, "filler")
	if err := os.WriteFile(filler, make([]byte, 12<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	p, q := h.partition("p", bus.TopicConfig{Retention: -1}), h.partition("q", bus.TopicConfig{})
	h.append(q, batch("before"))
	value := strings.Repeat("x", 300_000)
	acked := map[int64]string{}
	refused := 0
	put := func(v string) error {
		a, err := p.Append(t.Context(), record.Encode([]record.Record{{Timestamp: 1, Value: []byte(v)}}))
		if err == nil {
			acked[a.Base] = v
		} else if !errors.Is(err, bus.ErrRetry) {
			t.Fatal(err)
		}
		return err
	}
	for i := 0; refused < 8 && i < 200; i++ {
		if put(fmt.Sprint(i, "-", value)) != nil {
			refused++
			time.Sleep(20 * time.Millisecond)
		}
	}
	if refused == 0 || len(acked) == 0 {
		t.Fatalf("%d acknowledged, %d refused: the disk did not fill", len(acked), refused)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "appends after there is room", func() bool { return put("after") == nil })
	h.insist(q, batch("after"))
	got := h.read(p, 0, 1<<20)
	for offset, v := range acked {
		if want := fmt.Sprintf("%d:%s", offset, v); got[offset] != want {
			t.Fatalf("offset %d is not what was acknowledged: %.40s", offset, got[offset])
		}
	}
	t.Logf("%d acknowledged, %d refused, %d in the log", len(acked), refused, len(got))
}
