package schema

import (
	"testing"

	"keepc/grammar"
	"keepc/grammar/source"
)

// TestSecretive checks that a misspelled secret word counts as one, and that no other word of the table does.
func TestSecretive(t *testing.T) {
	for _, word := range []string{"auth_pass", "auth_pas", "auth_psas", "auth_pss", "authpas", "auth-pas", "AUTH_PAS", "password", "pasword", "$PASS", "$API_KEY", "key"} {
		if !Secretive(word) {
			t.Errorf("%s is not secretive", word)
		}
	}
	for _, word := range []string{"", "they", "192.0.2.1", "/etc/passwd", "eth0", "backup", "keys", "author", "$VIPS"} {
		if Secretive(word) {
			t.Errorf("%s is secretive", word)
		}
	}
	Walk(func(path []*Keyword) {
		if k := path[len(path)-1]; Secretive(k.Word) && !k.Secret && k.Word != "key" {
			t.Errorf("%s is secretive", Join(path))
		}
	})
}

// TestSecretBlanks checks that a quoted keyword of blanks is read like any unknown word.
func TestSecretBlanks(t *testing.T) {
	file, _ := grammar.Parse(source.New("f", []byte("global_defs {\n    \" \" x\n}\n")))
	if places := SecretWords(file.Stmts); len(places) > 0 {
		t.Errorf("%v", places)
	}
}
