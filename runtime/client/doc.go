// Package client is the Go client of the master's native API (/v1), and the
// home of the API's wire types, which package api/native serves: what is sent
// and what is read are the same declarations.
//
//	c, err := client.New("http://127.0.0.1:5050", nil)
//	status, err := c.Service(ctx, "spark")
//	for event, err := range c.Events(ctx, client.EventOptions{Service: "spark"}) { … }
//
// Errors are *problem.Error, as the master made them; a master that does not
// answer is of class problem.Unavailable.
package client
