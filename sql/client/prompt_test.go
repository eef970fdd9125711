package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tarn/embedded/fault"
	"tarn/embedded/peertest"
	"tarn/sql/client"
)

// echo answers each statement with itself, one that is "slow" not before its asker goes.
type echo struct {
	*httptest.Server
	slow, left chan struct{}
	mu         sync.Mutex
	asked      []string
}

func newEcho(t *testing.T) *echo {
	e := &echo{slow: make(chan struct{}, 1), left: make(chan struct{}, 1)}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		statement := strings.TrimSpace(string(body))
		e.mu.Lock()
		e.asked = append(e.asked, string(body))
		e.mu.Unlock()
		switch {
		case strings.Contains(statement, "slow"):
			e.slow <- struct{}{}
			<-r.Context().Done()
			e.left <- struct{}{}
		case strings.HasPrefix(statement, "SELECT table_schema"):
			_, _ = io.WriteString(w, `{"columns":[{"name":"name","type":"VARCHAR"}],"rows":[["silver.calls"],["silver.cranes"]],"stats":{"rows":2,"ms":1,"snapshots":{}}}`)
		case statement == "DESCRIBE silver.calls":
			_, _ = io.WriteString(w, `{"columns":[{"name":"column_name","type":"VARCHAR"}],"rows":[["berthed_at"],["id"]],"stats":{"rows":2,"ms":1,"snapshots":{}}}`)
		case strings.Contains(statement, "wrong"):
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":{"code":"syntax","message":"bad","hint":"mend it","line":2,"column":3}}`)
		default:
			_, _ = fmt.Fprintf(w, `{"columns":[{"name":"said","type":"VARCHAR"}],"rows":[[%q]],"stats":{"rows":1,"ms":1,"snapshots":{}}}`, statement)
		}
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *echo) client(t *testing.T, format string, out io.Writer) *client.Client {
	c, err := client.New(client.Options{URL: e.URL, Format: format, Out: out})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestScript: the statements of a text run in order up to the first that fails, each at its
// place in the text.
func TestScript(t *testing.T) {
	e := newEcho(t)
	var out strings.Builder
	c := e.client(t, "table", &out)
	err := c.Script(t.Context(), "SELECT ';';\n  -- two\n  wrong; SELECT 3")
	if fault.HintOf(err) != "mend it" || len(e.asked) != 2 || e.asked[1] != "           \n        \n  wrong" {
		t.Errorf("%v, asked %q", err, e.asked)
	}
	for text, want := range map[string]string{
		`\dt`: "SHOW TABLES", "\\d  silver.calls;\n": "DESCRIBE silver.calls", `\dn`: "SHOW SCHEMAS", "SELECT 1;": "SELECT 1;", "": "", "SELECT '": "SELECT '",
	} {
		e.asked = nil
		if err := c.Script(t.Context(), text); err != nil || len(e.asked) != 1 || e.asked[0] != want {
			t.Errorf("%s: %v, asked %q", text, err, e.asked)
		}
	}
	if err := c.Script(t.Context(), `\copy t`); fault.CodeOf(err) != fault.Invalid {
		t.Error(err)
	}
}

// TestCanceled: a statement that its asker stopped is no failure of the server's.
func TestCanceled(t *testing.T) {
	e := newEcho(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-e.slow
		cancel(fault.ErrInterrupted)
	}()
	if err := e.client(t, "table", io.Discard).Run(ctx, "slow"); !errors.Is(err, context.Canceled) || fault.HintOf(err) != "" {
		t.Error(err)
	}
	<-e.left
}

// patience bounds every wait, on a machine that is slow and busy: not a claim of speed, but the end of a hang.
const patience = 2 * time.Minute

// screen keeps what a prompt shows.
type screen struct {
	mu  sync.Mutex
	all strings.Builder
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(p)
}

func (s *screen) await(t *testing.T, part string) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		s.mu.Lock()
		shown := s.all.String()
		_, rest, found := strings.Cut(shown, part)
		if found {
			s.all.Reset()
			s.all.WriteString(rest)
		}
		s.mu.Unlock()
		if found {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no %q in %q", part, shown)
		}
		time.Sleep(time.Millisecond)
	}
}

// terminal returns both ends of a new terminal.
func terminal(t *testing.T) (keys, tty *os.File) {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		peertest.Missing(t, "there are no terminals, mount devpts on /dev/pts: "+err.Error())
	}
	t.Cleanup(func() { _ = keys.Close() })
	fd := int(keys.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		peertest.Missing(t, "there are no terminals, mount devpts on /dev/pts: "+err.Error())
	}
	t.Cleanup(func() { _ = tty.Close() })
	return keys, tty
}

// TestPrompt: Ctrl-C stops a statement and not the prompt, and drops what is half written.
func TestPrompt(t *testing.T) {
	e := newEcho(t)
	keys, tty := terminal(t)
	var s screen
	c := e.client(t, "table", &s)
	ended := make(chan error, 1)
	go func() { ended <- c.Input(t.Context(), tty) }()
	press := func(text string) {
		if _, err := keys.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	s.await(t, `\q leaves`)
	press("help\r")
	s.await(t, `\dt `)
	press("slow;\r")
	<-e.slow
	press("\x03")
	<-e.left
	s.await(t, "canceled")
	press("half\r of it\x03")
	press("SELECT 1;\r")
	s.await(t, "said\r\n---------\r\nSELECT 1;")
	press("wrong;\r")
	s.await(t, "error: line 2, column 3: bad\r\nhint: mend it")
	press("\\x\rSELECT 2;\r")
	s.await(t, "- row 1\r\nsaid  SELECT 2;")
	press("\\q\r")
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestTab completes keywords in the writer's case, tables, and columns of those that the statement names; what was
// typed is there again in the next prompt.
func TestTab(t *testing.T) {
	e := newEcho(t)
	kept := filepath.Join(t.TempDir(), "state", "history")
	for _, pressed := range [][2]string{
		{"sel\t1 from sil\t\ta\t where ber\t;\r", "select 1 from silver.calls  where berthed_at ;"},
		{"\x1b[A\x1b[A\r", "select 1 from silver.calls  where berthed_at ;"},
	} {
		keys, tty := terminal(t)
		var s screen
		c, err := client.New(client.Options{URL: e.URL, Format: "table", Out: &s, History: kept})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- c.Input(t.Context(), tty) }()
		s.await(t, `\q leaves`)
		if _, err := keys.WriteString(pressed[0]); err != nil {
			t.Fatal(err)
		}
		s.await(t, "said\r\n")
		s.await(t, pressed[1])
		if _, err := keys.WriteString("\\q\r"); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
