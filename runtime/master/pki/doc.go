// Package pki is the cluster's certificate authority: made once by the master,
// kept in a directory as PEM files of mode 0600, and used to issue the
// certificates with which master and agents prove who they are to each other.
//
// The rules, which the TLS configurations made here enforce:
//
//   - an agent's certificate has the agent's id as its common name and is good
//     for both sides of a connection, since an agent calls the master and serves
//     its logs to it;
//   - the master's certificate has MasterName as its common name, which no agent
//     id can be (it has a dot), so an agent's certificate never passes for the
//     master's;
//   - TLS 1.3 only, and both sides show a certificate. The one exception is a
//     machine that joins: it has a Token instead, which tells it the master by
//     the hash of the authority, and the master the machine by a secret.
//
// An agent makes its key itself and asks for a certificate (NewRequest, Enroll);
// a Keeper renews it in time.
package pki
