import { type Html, html } from '../demo/html.ts'

/** What both worlds were set to, and what the attacks do not show. */
export function setUpPart(): Html {
  return html`<h2>What was attacked</h2>
<p>An app pays invoices with four agents of one OAuth client: one reads, one looks through attachments, one books, one pays after a
review.</p>
<div class="cards">
<div class="card"><h3>Plain OAuth</h3><p>oidc-provider issues JWT access tokens by client_credentials; the API checks signature, issuer,
audience, expiry and scope with express-oauth2-jwt-bearer. OAuth knows the client, so its agents share its token. Who acts, and for whom, is
what the app says in headers. The app keeps the definitions of its agents behind the same API.</p></div>
<div class="card"><h3>Remit</h3><p>A server process with a Postgres of its own, agents with the shim, the API behind the verifier for
Express. Every policy of the client is the default, with <code>require_approval</code>, which production asks of a client that registers its own
agents. So: recorded executions, registered agent keys, proofs always due.</p>
<p>The owner of the API marked reading and booking <code>workflow</code> and paying <code>approval</code>; each route names client, workflow and step;
calls that write must name their body (<code>bd</code>); a payment must be the JSON that was approved, and each approval is good for one.</p></div>
</div>
<h2>What this does not show</h2>
<ul>
<li>An agent that is talked into it may do wrong within its own step: read the wrong invoice, book the wrong sum. Remit keeps it in that
step, and has somebody look at what must not go wrong.</li>
<li>A token lives for minutes, and its agent may call with it as often as it likes; a call whose answer is lost is made again. What must
happen once needs an API that does it once: this one takes each approval once.</li>
<li>A proof covers method, URL without its query, token and body. An API must not act on a query string that somebody on the way could have
changed. Answers are not signed, and neither is the registration of an agent, with its key: they are as safe as the TLS that
they came over. In production Remit takes no other issuer than https.</li>
<li>Under the policy <code>agent_keys: endorsed</code> the client’s credential vouches for keys of its agents: whoever steals it can be each of
them, within the client’s ceiling, until it is revoked. The default is <code>registered</code>.</li>
<li>Processes keep keys apart as well as their operating system does: an account or a container for each agent is more than a process for
each.</li>
<li>A resource that verifies offline learns of a revocation when the token ends. Introspection and the next mint know at once.</li>
</ul>`
}
