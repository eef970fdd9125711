//go:build duckdb_arrow

package postgres

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"net"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/xdg-go/scram"

	"tarn/embedded/door"
	"tarn/embedded/fault"
)

// Users tells who may log in. Safe for concurrent use.
type Users interface {
	// Verifier is what SCRAM-SHA-256 verifies a user's password by; false for a user that there is not.
	Verifier(user string) (scram.StoredCredentials, bool, error)
}

// The mechanisms of SASL (RFC 7677), the second within TLS.
const (
	scramName     = "SCRAM-SHA-256"
	scramPlusName = "SCRAM-SHA-256-PLUS"
	saslBytesMax  = 1024 // of one message of a log-in
)

// proven has a client prove that it is a user, by SCRAM-SHA-256; without Users any is who it says. A user that there is not takes
// the way of a wrong password.
func (c *conn) proven(user string) (method string, err error) {
	if c.door.o.Users == nil {
		return "", nil
	}
	host, _, err := net.SplitHostPort(c.net.RemoteAddr().String())
	if !c.encrypted && (err != nil || !door.Loopback(host)) {
		return "", stateError{"28000", fault.New(fault.Denied, "this door takes connections of other machines with TLS alone", "connect with sslmode=require, or better verify-full")}
	}
	if err := c.door.refusals.heard(host); err != nil {
		return "", err
	}
	verifier, known, err := c.door.o.Users.Verifier(user)
	if err != nil {
		c.door.o.Log.Error("nobody can log in", "error", err)
		return "", fault.New(fault.Unavailable, "the list of users cannot be read", "see Tarn's log for the cause")
	}
	if !known {
		verifier = c.door.decoy(user)
	}
	ok, err := c.exchange(verifier)
	if err != nil {
		return "", err
	}
	if !ok || !known {
		c.door.o.Log.Warn("log-in refused", "user", user, "remote", host)
		c.slowed(host)
		return "", stateError{"28P01", fault.Newf(fault.Denied, "", "password authentication failed for user %q", user)}
	}
	return "scram", nil
}

// slowed counts a refusal, whose answer waits.
func (c *conn) slowed(host string) {
	c.door.refused.Inc()
	delay, done := c.door.refusals.add(host, time.Now())
	defer done()
	select {
	case <-c.ctx.Done():
	case <-time.After(delay):
	}
}

// decoy is the verifier of a user that there is not: each time the same, or its salt would tell.
func (d *Door) decoy(user string) scram.StoredCredentials {
	mac := hmac.New(sha256.New, d.secret)
	mac.Write([]byte(user))
	sum := mac.Sum(nil)
	return scram.StoredCredentials{KeyFactors: scram.KeyFactors{Salt: string(sum[:saltBytes]), Iters: iterations}, StoredKey: sum, ServerKey: sum}
}

// secretOf is what decoys are made of: it follows from the key of the door's certificate, so that they outlive a restart.
func secretOf(t TLS) []byte {
	if pair, err := t.load(); t.set() && err == nil {
		if key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey); err == nil {
			sum := sha256.Sum256(key)
			return sum[:]
		}
	}
	secret := make([]byte, sha256.Size)
	_, _ = rand.Read(secret) // never fails
	return secret
}

// exchange is the conversation of a log-in; false where the proof is not of the password.
func (c *conn) exchange(verifier scram.StoredCredentials) (ok bool, err error) {
	mechanisms := []string{scramName}
	if c.binding.IsSupported() {
		mechanisms = []string{scramPlusName, scramName}
	}
	c.be.SetMaxBodyLen(saslBytesMax)
	defer c.be.SetMaxBodyLen(messageBytesMax)
	c.be.Send(&pgproto3.AuthenticationSASL{AuthMechanisms: mechanisms})
	message, err := c.answered(pgproto3.AuthTypeSASL)
	if err != nil {
		return false, err
	}
	first, is := message.(*pgproto3.SASLInitialResponse)
	if !is || !slices.Contains(mechanisms, first.AuthMechanism) {
		return false, stateError{"08P01", fault.New(fault.Invalid, "the log-in is by SCRAM-SHA-256 alone", "")}
	}
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) { return verifier, nil }) // the name is that of the start
	if err != nil {
		return false, err
	}
	talk := server.NewConversationWithChannelBinding(c.binding)
	if first.AuthMechanism == scramPlusName {
		talk = server.NewConversationWithChannelBindingRequired(c.binding)
	}
	said, err := talk.Step(string(first.Data))
	if err != nil {
		return false, stateError{"08P01", fault.New(fault.Invalid, "malformed SCRAM message, or a binding to TLS that is none of this connection", "")}
	}
	c.be.Send(&pgproto3.AuthenticationSASLContinue{Data: []byte(said)})
	if message, err = c.answered(pgproto3.AuthTypeSASLContinue); err != nil {
		return false, err
	}
	last, is := message.(*pgproto3.SASLResponse)
	if !is {
		return false, errGone
	}
	if said, err = talk.Step(string(last.Data)); err != nil || !talk.Valid() {
		return false, nil // the error may hold what the client sent
	}
	c.be.Send(&pgproto3.AuthenticationSASLFinal{Data: []byte(said)})
	return true, nil
}

// answered sends what waits, and reads the client's next message of a log-in.
func (c *conn) answered(kind uint32) (pgproto3.FrontendMessage, error) {
	if err := c.flush(); err != nil {
		return nil, errGone
	}
	if err := c.be.SetAuthType(kind); err != nil {
		return nil, err
	}
	message, err := c.be.Receive()
	if err != nil {
		return nil, errGone
	}
	return message, nil
}
