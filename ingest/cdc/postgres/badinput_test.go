package postgres_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tarn/embedded/disk"
	"tarn/ingest/cdc/postgres/pgtest"
	"tarn/ingest/source"
)

// tells waits until the source's state is one, and its error and hint say all of the words.
func (r *rig) tells(state string, words ...string) {
	r.t.Helper()
	r.until(state+": "+strings.Join(words, ", "), func() bool {
		st := r.runner.Status()
		return st.State == state && st.Hint != "" && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(st.Error+" "+st.Hint, w) })
	})
}

// TestTheServerIsNotSetUp: the source says what is missing, and goes on when it is there.
func TestTheServerIsNotSetUp(t *testing.T) {
	server := pgtest.Start(t, "wal_level = replica")
	d := server.Database("d", callsDDL, "INSERT INTO calls VALUES (1, 'a', '1')", "CREATE ROLE reader LOGIN", "GRANT SELECT ON calls TO reader", "CREATE PUBLICATION dbz_publication FOR ALL TABLES")
	r := newRig(t, d, "database.user", "reader")
	r.start()
	r.tells(source.Retrying, "ALTER ROLE", "REPLICATION")
	d.Exec("ALTER ROLE reader REPLICATION")
	r.tells(source.Retrying, "wal_level", "ALTER SYSTEM SET wal_level = logical")
	server.Set("wal_level = 'logical'")
	server.Stop()
	server.Run()
	r.equal("calls", "id", "berth", "teu")
	r.stop()
	nobody := newRig(t, d, "database.dbname", "nowhere")
	nobody.start()
	nobody.tells(source.Retrying, "nowhere", "database.dbname")
}

// TestAnotherServerIsPromoted in the place of the one whose log was read: it may not have all that Tarn has.
func TestAnotherServerIsPromoted(t *testing.T) {
	server := pgtest.Start(t)
	d := server.Database("d", callsDDL, "INSERT INTO calls VALUES (1, 'a', '1')")
	r := newRig(t, d)
	r.start()
	r.equal("calls", "id", "berth", "teu")
	r.stop()
	server.Stop()
	server.File("standby.signal", nil)
	server.Run()
	r.start() // of a standby no log can be read yet
	r.until("it is tried again", func() bool { return r.runner.Status().State == source.Retrying && r.runner.Status().Hint != "" })
	if d.Value("SELECT pg_promote()") != "t" {
		t.Fatal("the standby is not promoted")
	}
	r.tells(source.NeedsSnapshot, "promoted")
	d.Exec("UPDATE calls SET teu = '2'")
	if err := source.Wish(t.Context(), r.meta, sourceID(t, r), "public.calls", "asked for"); err != nil {
		t.Fatal(err)
	}
	r.runner.Reopen()
	r.equal("calls", "id", "berth", "teu")
	d.Exec("UPDATE calls SET teu = '3'")
	r.equal("calls", "id", "berth", "teu")
}

// relay passes connections on to a server, and cuts them.
type relay struct {
	net.Listener
	to    string
	left  atomic.Int64 // bytes of the server's until the next cut
	mu    sync.Mutex
	conns []net.Conn
}

// newRelay relays until the test ends; every is how many bytes of the server's it lets through between two cuts.
func newRelay(t *testing.T, server *pgtest.Server, every int64) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: l, to: fmt.Sprintf("127.0.0.1:%d", server.Port)}
	r.left.Store(every)
	var ended sync.WaitGroup
	ended.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", r.to)
			if err != nil {
				_ = in.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, in, out)
			r.mu.Unlock()
			ended.Go(func() { _, _ = io.Copy(out, in); _ = out.Close() })
			ended.Go(func() { r.pass(in, out, every); _ = in.Close() })
		}
	})
	t.Cleanup(func() { _ = l.Close(); r.cut(); ended.Wait() })
	return r
}

func (r *relay) pass(to, from net.Conn, every int64) {
	part := make([]byte, 4096)
	for {
		n, err := from.Read(part)
		if err != nil {
			return
		}
		if _, err := to.Write(part[:n]); err != nil {
			return
		}
		if r.left.Add(-int64(n)) < 0 {
			r.left.Store(every)
			r.cut()
			return
		}
	}
}

func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.conns = nil
}

// TestTheNetworkIsCut in the middle of a snapshot, and of a transaction: the source goes on, and nothing is there twice.
func TestTheNetworkIsCut(t *testing.T) {
	server := pgtest.Start(t, "logical_decoding_work_mem = '64kB'")
	d := server.Database("d", callsDDL, "INSERT INTO calls SELECT i, repeat('x', 2000), i FROM generate_series(1, 4000) i")
	through := newRelay(t, server, 3<<20)
	r := newRig(t, d, "database.port", fmt.Sprint(through.Addr().(*net.TCPAddr).Port))
	r.start()
	r.equal("calls", "id", "berth", "teu")
	if n := r.count("calls", "r"); n != 4000 || r.marks("calls") != 1 {
		t.Fatalf("%d rows read by %d snapshots", n, r.marks("calls"))
	}
	through.left.Store(300 << 10)
	d.Exec("INSERT INTO calls SELECT i, repeat('y', 500), 'large' FROM generate_series(10001, 14000) i")
	r.equal("calls", "id", "berth", "teu")
	for i := range 20 {
		d.Exec(fmt.Sprintf("BEGIN; UPDATE calls SET teu = '%d' WHERE id < 50; INSERT INTO calls VALUES (%d, 'b', ''); COMMIT", i, -i))
		if i%5 == 0 {
			through.cut()
		}
	}
	r.equal("calls", "id", "berth", "teu")
	if c, u := r.count("calls", "c"), r.count("calls", "u"); c != 4020 || u < 20*49 || u > 20*(49+20) {
		t.Fatalf("%d created, %d updated", c, u)
	}
}

// TestTextThatIsNoUTF8 comes out of a database that asks for none. It is kept, and stops nobody.
func TestTextThatIsNoUTF8(t *testing.T) {
	server := pgtest.Start(t)
	server.On("postgres").Exec("CREATE DATABASE raw ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
	d := server.On("raw")
	d.Exec(callsDDL, `INSERT INTO calls VALUES (1, E'\xff\xfe', 'read'), (2, 'good', 'read')`)
	r := newRig(t, d)
	r.start()
	r.until("the snapshot", func() bool { return r.marks("calls") == 1 })
	d.Exec(`INSERT INTO calls VALUES (3, E'ab\xc3', 'change'), (4, 'good', 'change')`)
	r.until("the changes", func() bool { return len(r.fold("calls")) == 4 })
	got := r.fold("calls")
	for key, want := range map[string]string{
		`{"id":1}`: `{"id":1,"berth":null,"teu":"read","_extra":{"berth":{"type":"text","value":"//4=","encoding":"base64"}}}`,
		`{"id":2}`: `{"id":2,"berth":"good","teu":"read"}`,
		`{"id":3}`: `{"id":3,"berth":null,"teu":"change","_extra":{"berth":{"type":"text","value":"YWLD","encoding":"base64"}}}`,
		`{"id":4}`: `{"id":4,"berth":"good","teu":"change"}`,
	} {
		if got[key] != want {
			t.Errorf("got %s, want %s", got[key], want)
		}
	}
}

// TestTypesThatNobodyKnows are left out and told, or taken as text.
func TestTypesThatNobodyKnows(t *testing.T) {
	server := pgtest.Start(t)
	d := server.Database("d", "CREATE TYPE pair AS (a int, b text)", "CREATE DOMAIN spot AS pair", "CREATE TYPE span AS RANGE (subtype = float8)",
		"CREATE TABLE odd (id bigint PRIMARY KEY, p pair, s spot, r span, b box, l lseg[], t tsquery, v text)",
		`INSERT INTO odd VALUES (1, '(1,x)', '(2,y)', '[1.5,2)', '(1,1),(0,0)', '{"[(0,0),(1,1)]"}', 'a & b', 'v')`)
	for want, keys := range map[string][]string{
		`{"id":1,"v":"v!"}`: {"slot.name", "one"},
		`{"id":1,"p":"(1,x)","s":"(2,y)","r":"[1.5,2)","b":"(1,1),(0,0)","l":"{\"[(0,0),(1,1)]\"}","t":"'a' & 'b'","v":"v!"}`: {"slot.name", "two", "include.unknown.datatypes", "true"},
	} {
		d.Exec("UPDATE odd SET v = 'v'")
		r := newRig(t, d, keys...)
		r.start()
		r.until("the snapshot", func() bool { return r.marks("odd") == 1 })
		d.Exec("UPDATE odd SET v = v || '!'")
		r.until("the change", func() bool { return r.fold("odd")[`{"id":1}`] == want })
		told := slices.ContainsFunc(r.runner.Status().Findings, func(f source.Finding) bool {
			return strings.Contains(f.Message, `["p" "s" "r" "b" "l" "t"]`) && strings.Contains(f.Hint, "include.unknown.datatypes")
		})
		if told != (len(keys) == 2) {
			t.Errorf("%+v", r.runner.Status().Findings)
		}
		r.stop()
	}
}

// TestATableIsRenamedWhileItsSnapshotIsRead: it is another table from there on, whole.
func TestATableIsRenamedWhileItsSnapshotIsRead(t *testing.T) {
	d := pgtest.Start(t).Database("d", callsDDL, "INSERT INTO calls SELECT i, repeat('x', 3000), i FROM generate_series(1, 4000) i")
	r := newRig(t, d)
	var n atomic.Int64
	r.log.Refuse = func(string) (bool, error) {
		if n.Add(1) == 3 {
			go d.Another().Exec("ALTER TABLE calls RENAME TO renamed", "UPDATE renamed SET teu = 'r' WHERE id < 100", "INSERT INTO renamed VALUES (-1, '', '')")
		}
		return false, nil
	}
	r.start()
	r.until("the other name", func() bool { return r.marks("renamed") == 1 })
	r.equal("renamed", "id", "berth", "teu")
}

// smallDisk mounts a small file system in memory over a folder.
func smallDisk(t *testing.T, dir string, size string) (fill, free func()) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("a small disk needs root")
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size="+size+",mode=1777", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("a small disk cannot be mounted: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() }) //nolint:noctx // the test's context has ended
	filler := filepath.Join(dir, "filler")
	return func() {
			f, err := os.Create(filler)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			for err == nil {
				_, err = f.Write(make([]byte, 4096))
			}
		}, func() {
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
		}
}

// TestTheDiskOfTarnIsFull while a large transaction is kept on it: it comes when there is room.
func TestTheDiskOfTarnIsFull(t *testing.T) {
	d := pgtest.Start(t, "logical_decoding_work_mem = '64kB'").Database("d", callsDDL, "CREATE TABLE other (id bigint PRIMARY KEY, v text)")
	r := newRig(t, d)
	r.spool = source.Spool{Dir: t.TempDir(), Disk: disk.Local}
	fill, free := smallDisk(t, r.spool.Dir, "8m")
	r.start()
	r.until("streaming", func() bool { return r.marks("calls") == 1 && r.marks("other") == 1 })
	fill()
	d.Exec("INSERT INTO calls SELECT i, repeat('x', 1000), '' FROM generate_series(1, 2000) i", "INSERT INTO other VALUES (1, 'a')")
	r.tells(source.Retrying, "keep a large transaction", "make room")
	free()
	r.equal("calls", "id", "berth", "teu")
	r.equal("other", "id", "v")
	if n := r.count("calls", "c"); n != 2000 {
		t.Fatalf("%d created", n)
	}
}

// TestTheDiskOfTheServerIsFull: the source says so, and goes on when there is room.
func TestTheDiskOfTheServerIsFull(t *testing.T) {
	server := pgtest.Start(t)
	d := server.Database("d", callsDDL, "INSERT INTO calls VALUES (1, 'a', '1')")
	server.Stop()
	fill, free := smallDisk(t, filepath.Join(server.Data(), "pg_replslot"), "64k")
	server.Run()
	fill()
	r := newRig(t, d)
	r.start()
	r.tells(source.Retrying, "No space left", "make room on the server's disk")
	free()
	r.equal("calls", "id", "berth", "teu")
}
