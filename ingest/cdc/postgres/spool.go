package postgres

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/ingest/cdc/postgres/pgoutput"
	"tarn/ingest/source"
)

// spoolBuffer is what is written to a spool at once; spoolsMax bounds how many transactions
// may be spooled at a time, each with an open file.
const (
	spoolBuffer = 256 << 10
	spoolsMax   = 256
)

// spool keeps the changes of one transaction that the server sends before it knows how it
// ends. A line is the change's place, the (sub)transaction, its length and its message.
type spool struct {
	file    *disk.File
	out     *bufio.Writer
	path    string
	aborted map[uint32]bool
}

const spoolHead = 8 + 4 + 4

// spools are those of the transactions under way.
type spools struct {
	dir  string
	disk *disk.FS
	own  bool // dir is to go with them
	by   map[uint32]*spool
}

// openSpools empties the folder: what is in it is of a source that is gone.
func openSpools(at source.Spool) (*spools, error) {
	s := &spools{dir: at.Dir, disk: at.Disk, by: map[uint32]*spool{}}
	if s.disk == nil {
		s.disk = disk.Local
	}
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "tarn-spool-")
		if err != nil {
			return nil, err
		}
		s.dir, s.own = dir, true
	}
	return s, s.empty()
}

func (s *spools) empty() error {
	old, err := filepath.Glob(filepath.Join(s.dir, "*.spool"))
	for _, path := range old {
		err = errors.Join(err, s.disk.Remove(path))
	}
	return err
}

func (s *spools) close() {
	for xid := range s.by {
		s.drop(xid)
	}
	if s.own {
		_ = os.RemoveAll(s.dir)
	}
}

// add keeps a message of a stream block of transaction top.
func (s *spools) add(top uint32, at pgoutput.LSN, data []byte) error {
	sp, err := s.of(top)
	if err != nil {
		return err
	}
	if len(data) < 5 {
		return fmt.Errorf("%w: %d bytes in a stream", pgoutput.ErrMalformed, len(data))
	}
	var head [spoolHead + 1]byte
	binary.BigEndian.PutUint64(head[:], uint64(at))
	copy(head[8:], data[1:5])
	binary.BigEndian.PutUint32(head[12:], uint32(len(data)-4)) //nolint:gosec // a message is below 1 GB
	head[spoolHead] = data[0]
	_, err = sp.out.Write(head[:])
	if err == nil {
		_, err = sp.out.Write(data[5:])
	}
	if err != nil {
		return fault.Wrap(err, fault.NoSpace, fmt.Sprintf("keep a large transaction of the source in %s", s.dir), "make room on the disk that holds Tarn's data; the server keeps the transaction meanwhile")
	}
	return nil
}

func (s *spools) of(top uint32) (*spool, error) {
	if sp, ok := s.by[top]; ok {
		return sp, nil
	}
	if len(s.by) >= spoolsMax {
		return nil, fault.Newf(fault.Unavailable, "let some of them end; Tarn reads on by itself, from the last commit", "%d large transactions are under way in the source at once", len(s.by))
	}
	path := filepath.Join(s.dir, fmt.Sprintf("%d.spool", top))
	f, err := s.disk.Create(path)
	if err != nil {
		return nil, fault.Wrap(err, fault.NoSpace, "keep a large transaction of the source in "+s.dir, "make room on the disk that holds Tarn's data, or give Tarn the right to write there")
	}
	sp := &spool{file: f, out: bufio.NewWriterSize(roomy{s.disk, s.dir, f}, spoolBuffer), path: path, aborted: map[uint32]bool{}}
	s.by[top] = sp
	return sp, nil
}

// roomy writes while the room for work is there.
type roomy struct {
	disk *disk.FS
	dir  string
	to   io.Writer
}

func (w roomy) Write(p []byte) (int, error) {
	if w.disk.Reserve > 0 {
		if err := w.disk.Room(w.dir, w.disk.Work(), uint64(len(p))); err != nil {
			return 0, err
		}
	}
	return w.to.Write(p)
}

// abort forgets a subtransaction, or the whole where they are one.
func (s *spools) abort(top, sub uint32) {
	if top == sub {
		s.drop(top)
	} else if sp, ok := s.by[top]; ok {
		sp.aborted[sub] = true
	}
}

func (s *spools) drop(top uint32) {
	sp, ok := s.by[top]
	if !ok {
		return
	}
	delete(s.by, top)
	_ = sp.file.File.Close() // not disk's: it need not reach the disk
	_ = s.disk.Remove(sp.path)
}

// replay reads a spool from its beginning.
type replay struct {
	in      *bufio.Reader
	aborted map[uint32]bool
}

// replay is the transaction's changes in order; nil where it has none.
func (s *spools) replay(top uint32) (*replay, error) {
	sp, ok := s.by[top]
	if !ok {
		return nil, nil //nolint:nilnil // a transaction without changes
	}
	if err := sp.out.Flush(); err != nil {
		return nil, err
	}
	if _, err := sp.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return &replay{bufio.NewReaderSize(sp.file.File, spoolBuffer), sp.aborted}, nil
}

// next is the next message that was not taken back; io.EOF at the end. Relations always
// count: the server says each once for the whole transaction.
func (r *replay) next() (message, error) {
	for {
		var head [spoolHead]byte
		if _, err := io.ReadFull(r.in, head[:]); err != nil {
			return message{}, err
		}
		data := make([]byte, binary.BigEndian.Uint32(head[12:]))
		if _, err := io.ReadFull(r.in, data); err != nil {
			return message{}, err
		}
		if data[0] == pgoutput.Relation || !r.aborted[binary.BigEndian.Uint32(head[8:])] {
			return message{pgoutput.LSN(binary.BigEndian.Uint64(head[:])), data}, nil
		}
	}
}
