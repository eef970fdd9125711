//go:build duckdb_arrow

package postgres

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"

	"tarn/embedded/fault"
	"tarn/embedded/terminal"
)

// The verifiers that Tarn makes are as PostgreSQL's (scram_iterations and SCRAM_DEFAULT_SALT_LEN).
const (
	iterations    = 4096
	iterationsMax = 10_000_000 // a client computes so many hashes
	saltBytes     = 16
	usersBytesMax = 1 << 20 // of the file
)

// UsersFile is the path of a file of users, read anew for each log-in. Its lines are those of PgBouncer's auth_file with verifiers as in
// PostgreSQL's pg_authid: "name" "SCRAM-SHA-256$4096:salt$StoredKey:ServerKey". Empty ones, and those behind ; or #, are passed over.
type UsersFile string

// Verifier reads a user's.
func (f UsersFile) Verifier(user string) (found scram.StoredCredentials, known bool, err error) {
	content, err := f.read()
	if err != nil {
		return found, false, fault.Wrap(err, fault.Invalid, "read the users of PostgreSQL's door", "postgres.users names the file")
	}
	for n, line := range strings.Split(string(content), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == ';' || line[0] == '#' {
			continue
		}
		name, rest, ok := quotedText(line)
		secret, rest, also := quotedText(strings.TrimSpace(rest))
		v, read := readVerifier(secret)
		if !ok || !also || !read || name == "" || rest != "" {
			return found, false, fault.Newf(fault.Invalid, "a line is what `tarn password NAME` prints", "%s:%d: no user with a verifier of SCRAM-SHA-256", string(f), n+1)
		}
		if name == user {
			found, known = v, true
		}
	}
	return found, known, nil
}

func (f UsersFile) read() ([]byte, error) {
	file, err := os.Open(string(f))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, usersBytesMax+1))
	if err == nil && len(content) > usersBytesMax {
		err = fmt.Errorf("%s has more than %d bytes", string(f), usersBytesMax)
	}
	return content, err
}

// quotedText reads "a ""b""", and returns what is behind it.
func quotedText(line string) (text, rest string, ok bool) {
	if !strings.HasPrefix(line, `"`) {
		return "", line, false
	}
	for at := 1; at < len(line); at++ {
		if line[at] != '"' {
			continue
		}
		if at+1 < len(line) && line[at+1] == '"' {
			at++
			continue
		}
		return strings.ReplaceAll(line[1:at], `""`, `"`), line[at+1:], true
	}
	return "", line, false
}

// readVerifier reads SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>, as PostgreSQL stores it.
func readVerifier(text string) (out scram.StoredCredentials, ok bool) {
	rest, ok := strings.CutPrefix(text, scramName+"$")
	factors, keys, both := strings.Cut(rest, "$")
	count, salt, salted := strings.Cut(factors, ":")
	stored, server, keyed := strings.Cut(keys, ":")
	if !ok || !both || !salted || !keyed {
		return out, false
	}
	n, err := strconv.Atoi(count)
	raw, saltErr := base64.StdEncoding.DecodeString(salt)
	storedKey, storedErr := base64.StdEncoding.DecodeString(stored)
	serverKey, serverErr := base64.StdEncoding.DecodeString(server)
	if err != nil || saltErr != nil || storedErr != nil || serverErr != nil || n < 1 || n > iterationsMax || len(raw) == 0 ||
		len(storedKey) != sha256.Size || len(serverKey) != sha256.Size {
		return out, false
	}
	return scram.StoredCredentials{KeyFactors: scram.KeyFactors{Salt: string(raw), Iters: n}, StoredKey: storedKey, ServerKey: serverKey}, true
}

// UserLine is a line of a UsersFile.
func UserLine(user, password string) (string, error) {
	client, err := scram.SHA256.NewClient(user, password, "")
	if err != nil { // no text of SASLprep's, which clients send as it is
		client, err = scram.SHA256.NewClientUnprepped(user, password, "")
	}
	if err != nil {
		return "", err
	}
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails
	v, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(salt), Iters: iterations})
	if err != nil {
		return "", err
	}
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf(`"%s" "%s$%d:%s$%s:%s"`, strings.ReplaceAll(user, `"`, `""`), scramName, iterations, encode(salt), encode(v.StoredKey), encode(v.ServerKey)), nil
}

// Password is `tarn password`.
type Password struct {
	User string `arg:"" help:"Who shall log in."`
}

// Help is what --help says below the line of usage.
func (*Password) Help() string {
	return `Asks for a password, or reads a line of stdin, and prints the line of the file that postgres.users names. The line does not hold the password, but
what it can be verified by; keep it from others all the same.

    tarn password crane >> users.txt
    tarn up --set postgres.users=users.txt`
}

// Run asks and prints.
func (p *Password) Run(ctx context.Context, out io.Writer) error {
	password, err := terminal.Secret(ctx, os.Stderr, "Password of "+p.User+": ")
	if err == nil && password == "" {
		err = fault.New(fault.Invalid, "the password is empty", "type one, or hand it over by stdin")
	}
	if err != nil {
		return err
	}
	if strings.ContainsAny(p.User, "\n\r") {
		return fault.New(fault.Invalid, "a user's name has one line", "")
	}
	line, err := UserLine(p.User, password)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, line)
	return err
}
