import type { CodeEntry, WireCode } from '../error-catalogue.ts'

/** Wire codes: read by developers who got one of these and know nothing else of this server. */
export const CODES: Readonly<Record<WireCode, CodeEntry>> = {
  invalid_request: {
    title: 'The request is malformed',
    cause:
      'A parameter or member is missing, malformed, sent twice or not known to this endpoint, or the body has another form than the endpoint takes. The error_description names the member.',
    mend: 'Read error_description (or `detail`), mend that member and send the request again. Token and introspection endpoints under `/oauth` take a form; everything else takes JSON with `Content-Type: application/json`. `/docs` on the server shows every body.',
  },
  invalid_client: {
    title: 'The client could not be authenticated',
    cause:
      'The server does not know who is asking: the client id is unknown or revoked, the secret or the signed assertion is wrong, expired or was used before, or the client uses another method than the one it was registered with. The answer is the same for every cause, so that nobody can try out names.',
    mend: 'Check client id and key or secret, and the clock of the machine. For `private_key_jwt`: `aud` is the issuer URL alone, `exp` at most 300 seconds after `iat`, a new `jti` for each request. An administrator sees the exact cause with `remit explain REQUEST_ID` (header `X-Request-Id` of the answer).',
  },
  invalid_grant: {
    title: 'The agent, its checksum or its delegation was not accepted',
    cause:
      'The client is authenticated, but the agent that asks is unknown, its checksum belongs to no version that is valid now, or what it rests on was revoked. `ajwt_error` beside this code names the check.',
    mend: 'Follow the page of the `ajwt_error`. Without one, register the agent with `remit agent create FILE ...` and ask again.',
  },
  unauthorized_client: {
    title: 'The client may not do this',
    cause:
      'The client is authenticated, but its record does not list this grant, it has no access to the scope `generate:intent-token` at this server, or it speaks for another client whose agents it does not register.',
    mend: 'An administrator looks at `grant_types`, `access` and `registers_for` with `remit client show CLIENT_ID` and changes what is missing.',
  },
  unsupported_grant_type: {
    title: 'The endpoint does not know this grant_type',
    cause: 'The value of `grant_type` is none of those listed in `grant_types_supported` of the server metadata.',
    mend: 'Send `client_credentials` or `urn:ietf:params:oauth:grant-type:agent_checksum` to `/oauth/token`; `/intent/token` takes the agent grant only.',
  },
  invalid_scope: {
    title: 'A scope asked for cannot be granted',
    cause:
      'The scope is empty or malformed, or lies outside what the client, the agent, the workflow step and the resource all allow. The server never narrows a request: it grants what was asked or refuses. With `ajwt_error` the owner of the API gives the scope only to a workflow step.',
    mend: 'Ask for fewer scopes, or have the access widened: `remit client show CLIENT_ID` and `remit agent show CLIENT_ID AGENT_ID` list what is allowed, `remit resource show RESOURCE` what the API has.',
  },
  invalid_target: {
    title: 'The resource asked for cannot be the audience',
    cause:
      'The `resource` (or `audience`) is not registered here, is not in the access of the client or of the agent, was named more than once, or the token for it would become too large.',
    mend: 'Name exactly one resource, spelled as in `remit resource list`, and see that the client (`remit client show`) and the agent (`remit agent show`) have it in their access.',
  },
  invalid_authorization_details: {
    title: 'The workflow step was not accepted',
    cause:
      'The `authorization_details` are malformed, or the step they name may not be entered now. `ajwt_error` and `missing_steps` beside this code say more.',
    mend: 'Send one object of type `urn:remit:workflow-step` with `workflow_id` and `workflow_step` that agree with the plain parameters, and complete the steps listed in `missing_steps` first.',
  },
  invalid_dpop_proof: {
    title: 'The DPoP proof is missing or not valid',
    cause:
      'The proof in the `DPoP` header is missing where one is due, malformed, older than 60 seconds, made for another method or URL, used before, or signed by a key that this agent does not have (then `ajwt_error` is `agent_key_mismatch`).',
    mend: 'Sign a new proof for every request with the right key: `htm` is the method, `htu` the URL as the server publishes it, `iat` the present time, `jti` new, `ath` the hash of the access token where one is sent. Check the clock of the machine.',
  },
  use_dpop_nonce: {
    title: 'The proof needs a current nonce',
    cause:
      'The proof carries a nonce that has expired, or the policy of this client demands one and the proof has none.',
    mend: 'Sign a new proof with the value of the `DPoP-Nonce` header of this answer as `nonce` and send the request again. A client assertion is used up by the first attempt: sign a new one too.',
  },
  invalid_token: {
    title: 'The access token was not accepted',
    cause:
      'The token is missing, expired, revoked, made for another audience, or bound to a key whose proof is missing or another. Tokens of agents do not open the APIs of this server.',
    mend: 'Get a new token by `client_credentials` for exactly this API (`<issuer>` or `<issuer>/admin`) and send it with the scheme `DPoP` and a proof by the key it is bound to.',
  },
  insufficient_scope: {
    title: 'The access token lacks a scope',
    cause: 'The token is valid, but the scope that this endpoint demands is not in it.',
    mend: 'Ask for a token with the scope that the `WWW-Authenticate` header of the answer names. Where the client may not ask for it, an administrator gives it the access.',
  },
  intent_denied: {
    title: 'The route is not open to this agent, step or approval',
    cause:
      'The token is valid, but the API lets only certain clients, agents or workflow steps call this route, or wants the body to be exactly what somebody approved, or the delegation chain to be signed by registered keys.',
    mend: 'Call from the agent and the step that the route is for, with the approved arguments. The owner of the API sees the exact check as the `reason` that the verifier gives to `onRefusal`.',
  },
  revocation_unknown: {
    title: 'The API does not know whether the token was revoked',
    cause:
      'The API refuses tokens while its knowledge of revocations is older than it allows, because a revoked token must not slip through. The token itself was not found wrong.',
    mend: 'Send the request again a little later, with a new proof; a new token does not help. The owner of the API sees to it that the API reaches the server.',
  },
  temporarily_unavailable: {
    title: 'The server cannot answer at the moment',
    cause:
      'The database or a key is out of reach, the server is stopping or has too much to do, or this client or address sent too many requests, or failed too often, and is held back. Nothing was done.',
    mend: 'Wait for the seconds in `Retry-After` and send the same request again, with a new assertion and a new proof. On the host of the server `remit doctor` says what is wrong.',
  },
  server_error: {
    title: 'The server made a mistake',
    cause: 'Something happened that the server has no rule for. It was logged with the request id; nothing was done.',
    mend: 'Give the request id (header `X-Request-Id` of the answer) to whoever runs the server; the log line with that id has the cause.',
  },
  unknown_agent: {
    title: 'The client has no such active agent',
    cause:
      'No agent of this `agent_id` is registered for this client, or it is suspended or revoked. Agents of other clients answer the same.',
    mend: 'Check the spelling of `agent_id`, then register it with `remit agent create FILE ...`. A suspended agent is resumed with `remit agent resume`; a revoked `agent_id` never comes back: take another.',
  },
  agent_checksum_mismatch: {
    title: 'The checksum is not that of a valid version',
    cause:
      'The checksum that the agent computed over its prompt, tools and configuration equals no version that is registered and valid now. Either the agent was changed and the change is not registered, the version still waits for approval, or its drain time is over.',
    mend: 'Compare the checksum with those of `remit agent show CLIENT_ID AGENT_ID`. Register the changed components with `remit agent create FILE ...`; a version that is `pending` is approved with `remit agent approve`.',
  },
  agent_key_mismatch: {
    title: 'The proof is not by a key of this agent',
    cause:
      'The key in the DPoP proof is not among the keys that this agent may use now, or no proof was sent where the agent must prove that it holds its key.',
    mend: 'Sign with the key that was registered for the agent; `remit agent show CLIENT_ID AGENT_ID` lists the thumbprints (`jkts`). To add a key, an administrator of another owner than the client runs `remit agent key add CLIENT_ID AGENT_ID --key KEYFILE`; a client that has a key of the agent runs `remit agent key add CLIENT_ID AGENT_ID --client CLIENT_ID --secret-file SECRETFILE --key KEYFILE --signer OLDKEYFILE`.',
  },
  invalid_shim: {
    title: 'The shim is not a released version',
    cause:
      'The policy of this client asks for a released version of the shim, and the `X-Shim-Checksum` header is missing, malformed or names a version that is not released, was withdrawn or is older than the minimum.',
    mend: 'Update the shim in the agent process to a released version: `GET /.well-known/ajwt-shim-releases` lists them with their checksums.',
  },
  workflow_step_unauthorized: {
    title: 'The workflow step may not be entered now',
    cause:
      'The workflow or the step is unknown, the step belongs to another agent, or steps that must come before it are not done; `missing_steps` lists those.',
    mend: 'Complete the steps in `missing_steps`. Where the client has `workflow_state` `asserted`, name them in `completed_steps`; where it has `recorded`, the server knows them. `remit workflow show CLIENT_ID WORKFLOW_ID` shows the order and which agent each step belongs to.',
  },
  approval_pending: {
    title: 'The step waits for an approval',
    cause: 'The step is protected, and the approval that it needs was asked for and is not decided yet.',
    mend: 'Wait until an administrator has decided about the `approval_id` of this answer, then send the request again.',
  },
  approval_denied: {
    title: 'The approval of this step was denied',
    cause:
      'Somebody looked at exactly these arguments of this step in this execution and said no. The same arguments are not put to anybody again in this execution.',
    mend: 'Read why with `remit approval show APPROVAL_ID`, ask with other arguments, or start another execution.',
  },
  approval_required: {
    title: 'The API gives this scope only with an approval',
    cause:
      'The owner of the API marked a scope that was asked for with `approval`: it is given only to a step of a recorded workflow that requires an approval, once it is granted.',
    mend: 'Ask without that scope, or have the owner of the API change the mark: `remit resource show RESOURCE` lists the marks.',
  },
  limit_exceeded: {
    title: 'A limit of the execution is reached',
    cause: 'The execution, the step or the delegation has used up the number of tokens that its limits allow.',
    mend: 'Begin a new execution, or have the limits of the client raised by an administrator.',
  },
  workflow_required: {
    title: 'This token is given only for a workflow step',
    cause:
      'A workflow of the client assigns this agent a step and its grant does not let it work outside of workflows, or the owner of the API marked a scope with `workflow`.',
    mend: 'Send `workflow_id` and `workflow_step` with the request (`remit token mint ... --workflow ID --step ID`), or have the agent registered with `outside_workflow`.',
  },
  delegation_unauthorized: {
    title: 'The delegation was not accepted',
    cause:
      'The delegation chain names an agent twice, an agent that the client does not have, or more than five hops; or the one who delegates may not hand this on.',
    mend: 'Send the chain of agents of this one client, root first, each once, and the asking agent last.',
  },
  token_too_large: {
    title: 'The token would be too large',
    cause: 'The token would be larger than 4 KB, which many servers refuse in a header.',
    mend: 'Ask for fewer scopes at a time, or name fewer completed steps.',
  },
  duplicate_agent: {
    title: 'This version is registered already',
    cause: 'A version of this agent with exactly these components is pending, active or draining. Nothing was changed.',
    mend: 'For the same content nothing needs to be done: use the `registration_id` and the `checksum` of the answer; where it is pending, an administrator approves it with `remit agent approve`. Access and keys of the request were not taken: for other access retire the version with `remit agent retire CLIENT_ID AGENT_ID --registration REGISTRATION_ID` and register again; for another key see `remit agent key add CLIENT_ID AGENT_ID --help`.',
  },
  invalid_client_metadata: {
    title: 'The keys of the client could not be taken',
    cause:
      'The `jwks_uri` of the client could not be fetched, is not allowed, or holds no usable key set. `detail` says which.',
    mend: 'Open the `jwks_uri` from the network of the server: it must be https, answer 200 with a JSON key set of 1 to 16 public keys, and not lie at a private address. Or register the keys themselves as `jwks`.',
  },
  unauthorized: {
    title: 'The one-time token was not accepted',
    cause: 'The bootstrap token is missing, wrong or was not set up, or the link was used or is too old.',
    mend: 'Read the bootstrap token from the file in the data directory of the server, or run `remit init` there. A console link is made again with `remit console`.',
  },
  forbidden: {
    title: 'You may not do this yourself',
    cause:
      'The caller is known and has the scope, but a rule keeps this act from this person: somebody else must approve, or nobody gives away a right that he does not have.',
    mend: 'Have an administrator of another owner do it; `detail` says which rule it was.',
  },
  not_found: {
    title: 'There is no such thing',
    cause:
      'The path or the name in it does not exist, or belongs to somebody whose things this caller may not see. Both answer the same.',
    mend: 'Check the spelling of the ids; the lists (`remit client list`, `remit agent list CLIENT_ID`, `remit resource list`) show what exists. `/docs` on the server lists the paths.',
  },
  conflict: {
    title: 'The state of things does not allow it',
    cause:
      'The name is taken, the version is not pending any more, or somebody changed the record in the meantime. `detail` says which.',
    mend: 'Read the record again and decide anew.',
  },
  idempotency_key_reused: {
    title: 'The Idempotency-Key belongs to another request',
    cause: 'This key was sent with another body or to another endpoint within the last 24 hours.',
    mend: 'Send a new key with every new request; repeat a key only with exactly the same request.',
  },
  method_not_allowed: {
    title: 'The path does not take this method',
    cause: 'The path exists, but not for this HTTP method. The `Allow` header of the answer lists those it takes.',
    mend: 'Use a method of the `Allow` header.',
  },
}
