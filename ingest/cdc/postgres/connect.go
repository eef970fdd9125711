package postgres

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"tarn/embedded/fault"
)

// closeTimeout bounds how long a connection may take to say goodbye.
const closeTimeout = time.Second

// connect opens a connection for statements.
func (s *settings) connect(ctx context.Context) (*pgconn.PgConn, error) {
	c, err := s.dial(ctx, s.conn.Copy())
	if err != nil {
		return nil, s.fault(err, "connect to")
	}
	for _, text := range s.initial {
		if _, err := query(ctx, c, text); err != nil {
			closeConn(c)
			return nil, s.fault(err, "run "+keyInitial+" on")
		}
	}
	return c, nil
}

// replicate opens a connection for the commands of replication.
func (s *settings) replicate(ctx context.Context) (*pgconn.PgConn, error) {
	config := s.conn.Copy()
	config.RuntimeParams = maps.Clone(config.RuntimeParams)
	config.RuntimeParams["replication"] = "database"
	config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		return pgproto3.NewFrontend(&paced{in: bufio.NewReaderSize(r, readBytes)}, w)
	}
	c, err := s.dial(ctx, config)
	return c, s.fault(err, "open a replication connection to")
}

// A stream comes in one write of the server for each change, which would wake its reader as often: where little was there, it lets
// what comes next gather for paceTime first. What waits beyond readBytes stays in the kernel.
const (
	readBytes = 64 << 10
	paceBytes = 16 << 10
	paceTime  = 200 * time.Microsecond
)

// paced reads what comes in small pieces in larger ones.
type paced struct {
	in  *bufio.Reader
	few bool // the last read had less than paceBytes
}

func (p *paced) Read(b []byte) (int, error) {
	if p.in.Buffered() == 0 {
		if p.few {
			time.Sleep(paceTime)
		}
		_, err := p.in.Peek(1)
		if p.few = p.in.Buffered() < paceBytes; err != nil {
			return 0, err
		}
	}
	return p.in.Read(b)
}

// dial connects, and has a database without an encoding send its texts as they are: it may hold some that are no UTF-8, at which it
// would end the stream each time anew. Events have the bytes of such. A server that has no TLS, where it is only preferred, is asked
// for it once: each time it refuses costs a connection.
func (s *settings) dial(ctx context.Context, config *pgconn.Config) (*pgconn.PgConn, error) {
	prefers := config.TLSConfig != nil && len(config.Fallbacks) == 1 && config.Fallbacks[0].TLSConfig == nil
	if prefers && s.plain.Load() {
		config.TLSConfig, config.Fallbacks[0].TLSConfig = nil, config.TLSConfig
	}
	c, err := pgconn.ConnectConfig(ctx, config)
	if err == nil && prefers {
		_, secret := c.Conn().(*tls.Conn)
		s.plain.Store(!secret)
	}
	if err != nil || c.ParameterStatus("server_encoding") != "SQL_ASCII" {
		return c, err
	}
	if _, err := query(ctx, c, "SET client_encoding TO 'SQL_ASCII'"); err != nil {
		closeConn(c)
		return nil, err
	}
	return c, nil
}

func closeConn(c *pgconn.PgConn) {
	if c == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = c.Close(ctx)
}

// row is a row of texts; null is "".
type row []string

// query runs one statement and returns its rows.
func query(ctx context.Context, c *pgconn.PgConn, text string) ([]row, error) {
	results, err := c.Exec(ctx, text).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	last := results[len(results)-1]
	out := make([]row, len(last.Rows))
	for i, cells := range last.Rows {
		out[i] = make(row, len(cells))
		for j := range cells {
			out[i][j] = string(cells[j])
		}
	}
	return out, nil
}

func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func literal(text string) string {
	if strings.Contains(text, `\`) {
		return ` E'` + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(text) + `'`
	}
	return `'` + strings.ReplaceAll(text, `'`, `''`) + `'`
}

// The server's codes (PostgreSQL documentation, appendix A) that mean something of their own here.
const (
	codeDenied     = "42501"
	codeNoObject   = "42704"
	codeNoTable    = "42P01"
	codeNoColumn   = "42703"
	codeInUse      = "55006"
	codeLocked     = "55P03"
	codeState      = "55000"
	codeDuplicate  = "42710"
	codeUniqueness = "23505"
	codeFull       = "53100"
	codeSlots      = "53400"
)

func codeOf(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// hints say what to do about an error of the server, by the beginning of its code.
var hints = []struct {
	code, text, hint string
	is               fault.Code
}{
	{"28P01", "", "check database.password", fault.Invalid},
	{"28000", "replication", "give the user the right: ALTER ROLE … REPLICATION; and a line for replication in pg_hba.conf where it asks for one", fault.Invalid},
	{"28000", "", "let the user in: check database.user, pg_hba.conf and database.sslmode", fault.Invalid},
	{"3D000", "", "check database.dbname", fault.Invalid},
	{"53300", "", "raise max_connections, or close connections that nobody needs; Tarn goes on by itself", fault.Unavailable},
	{codeSlots, "", "raise max_replication_slots, or drop a slot that nobody needs (SELECT pg_drop_replication_slot('…')); a snapshot needs one more for a while", fault.Invalid},
	{"57P", "", "the server is starting or stopping; Tarn goes on when it is there", fault.Unavailable},
	{codeDenied, "", "give the user the right: ALTER ROLE … REPLICATION for the slot, GRANT SELECT ON … for the tables, GRANT CREATE ON DATABASE … and ownership of the tables for the publication; or make the publication yourself and set publication.autocreate.mode=disabled", fault.Invalid},
	{codeInUse, "", "another program reads the slot: end it (SELECT pid, application_name FROM pg_stat_replication), or choose another slot.name", fault.Conflict},
	{codeState, "wal_level", "set wal_level = logical in postgresql.conf (ALTER SYSTEM SET wal_level = logical) and restart the server", fault.Invalid},
	{codeFull, "", "make room on the server's disk", fault.NoSpace},
}

// fault says what the server's error means for a person.
func (s *settings) fault(err error, doing string) error {
	if err == nil {
		return nil
	}
	what := doing + " " + s.server()
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		for _, h := range hints {
			if strings.HasPrefix(e.Code, h.code) && strings.Contains(e.Message, h.text) {
				return fault.Wrap(err, h.is, what, h.hint)
			}
		}
		return fault.Wrap(err, fault.Unavailable, what, "Tarn tries again; look the error up in the server's log if it stays")
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	if hint := hintOfTLS(err); hint != "" {
		return fault.Wrap(err, fault.Invalid, what, hint)
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return fault.Wrap(err, fault.Unavailable, what, "check database.hostname")
	}
	return fault.Wrap(err, fault.Unavailable, what, "check that the server runs, and database.hostname and database.port; Tarn goes on by itself")
}

// hintOfTLS says what to do about a server that is not who it should be; "" for another error.
func hintOfTLS(err error) string {
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "set database.hostname to a name that the server's certificate has, or database.sslmode to verify-ca, which asks for none"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "set database.sslrootcert to the file of the certificate that the server's was signed with"
	}
	if _, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return "give the server another certificate: it is not good now, or not for this"
	}
	if strings.Contains(err.Error(), "server refused TLS") { // pgconn has no error of its own for it
		return "switch TLS on in the server (ssl = on), or set database.sslmode to prefer or disable"
	}
	return ""
}

func (s *settings) server() string {
	return net.JoinHostPort(s.conn.Host, strconv.Itoa(int(s.conn.Port))) + "/" + s.database
}
