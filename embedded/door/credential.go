package door

import (
	"net/http"
	"strings"

	"tarn/embedded/guard"
)

// Credential is what a request showed at the door of that name: a user with a password, or a bearer's token.
func Credential(r *http.Request, name string) guard.Credential {
	user, password, _ := r.BasicAuth()
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		token = ""
	}
	return guard.Credential{User: user, Password: password, Token: token, Door: name, Remote: r.RemoteAddr}
}
