import { type Kysely, sql } from 'kysely'

/*
 * The core registry. Shapes that outlive this release:
 * - rights are always pairs of resource and scope (`access`), never scopes and resources apart (protocol.md section 1);
 * - keys and the grant belong to the agent, components and checksum to a registration (a version);
 * - a name is never deleted, its row stays as a tombstone, so that no name is given out twice (section 9);
 * - every instant is written by the server's clock, never by the database's.
 */
const STATEMENTS = [
  `create table client (
    client_id text primary key,
    client_name text not null,
    owner text not null,
    kind text not null check (kind in ('app', 'service', 'operator')),
    token_endpoint_auth_method text not null
      check (token_endpoint_auth_method in ('private_key_jwt', 'client_secret_basic', 'client_secret_post')),
    jwks jsonb,
    grant_types jsonb not null,
    access jsonb not null,
    registers_for jsonb not null,
    policies jsonb not null,
    status text not null check (status in ('active', 'revoked')),
    created_at timestamptz not null,
    created_by text not null
  )`,
  // Several rows a client, so that a rotation can overlap.
  `create table client_secret (
    client_id text not null references client,
    secret_digest bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    primary key (client_id, secret_digest)
  )`,
  `create table resource (
    resource text primary key,
    scopes jsonb not null,
    token_profile text not null check (token_profile in ('interop', 'draft')),
    signing_alg text not null check (signing_alg in ('ES256', 'EdDSA', 'PS256', 'RS256')),
    max_token_lifetime integer not null check (max_token_lifetime between 1 and 900),
    allow_bearer boolean not null,
    client_id text references client,
    status text not null check (status in ('active', 'revoked')),
    created_at timestamptz not null,
    created_by text not null
  )`,
  `create table agent (
    client_id text not null references client,
    agent_id text not null,
    status text not null check (status in ('active', 'suspended', 'revoked')),
    access jsonb not null,
    outside_workflow boolean not null,
    suspended_by text,
    created_at timestamptz not null,
    primary key (client_id, agent_id)
  )`,
  // Two ids of one client that differ only in case are refused (section 4).
  `create unique index agent_id_caseless on agent (client_id, lower(agent_id))`,
  // A thumbprint stays bound to its first agent for ever, also after the key was removed.
  `create table agent_key (
    jkt text primary key,
    client_id text not null,
    agent_id text not null,
    jwk jsonb not null,
    source text not null check (source in ('registered', 'endorsed')),
    added_at timestamptz not null,
    expires_at timestamptz,
    removed_at timestamptz,
    foreign key (client_id, agent_id) references agent
  )`,
  `create index agent_key_by_agent on agent_key (client_id, agent_id)`,
  `create table registration (
    registration_id text primary key,
    client_id text not null,
    agent_id text not null,
    version integer not null check (version > 0),
    checksum text not null check (checksum ~ '^[0-9a-f]{64}$'),
    checksum_profile text not null check (checksum_profile in ('jcs', 'reference')),
    components_sealed bytea not null,
    status text not null check (status in ('pending', 'active', 'draining', 'retired', 'revoked')),
    drain_seconds integer not null check (drain_seconds >= 0),
    drains_until timestamptz,
    proposed_grant jsonb,
    proposed_keys jsonb,
    registered_at timestamptz not null,
    registered_by text not null,
    registered_owner text not null,
    approved_at timestamptz,
    approved_by text,
    unique (client_id, agent_id, version),
    foreign key (client_id, agent_id) references agent
  )`,
  `create unique index registration_one_active on registration (client_id, agent_id) where status = 'active'`,
  // duplicate_agent is decided by this index, not by a read before the write.
  `create unique index registration_live_checksum on registration (client_id, agent_id, checksum)
    where status in ('pending', 'active', 'draining')`,
  // Same content under another id of the client: asked by preview and approval.
  `create index registration_by_checksum on registration (client_id, checksum)`,
  `create table workflow (
    client_id text not null references client,
    workflow_id text not null,
    version integer not null,
    status text not null check (status in ('active', 'deregistered')),
    created_at timestamptz not null,
    primary key (client_id, workflow_id)
  )`,
  // workflow.version names the version that counts; later ones may be pending.
  `create table workflow_version (
    client_id text not null,
    workflow_id text not null,
    version integer not null check (version > 0),
    definition jsonb not null,
    definition_digest bytea not null,
    agent_ids jsonb not null,
    status text not null check (status in ('pending', 'active', 'superseded')),
    registered_at timestamptz not null,
    registered_by text not null,
    registered_owner text not null,
    approved_at timestamptz,
    approved_by text,
    primary key (client_id, workflow_id, version),
    foreign key (client_id, workflow_id) references workflow
  )`,
  // Digests of what was issued, never the token itself.
  `create table token (
    jti text primary key,
    client_id text not null,
    sub text not null,
    resource text not null,
    scope text not null,
    token_profile text not null,
    kid text not null,
    token_type text not null check (token_type in ('DPoP', 'Bearer')),
    jkt text,
    agent_id text,
    registration_id text,
    workflow_id text,
    workflow_version integer,
    workflow_step text,
    workflow_state text not null check (workflow_state in ('none', 'asserted', 'recorded')),
    execution_id text,
    parent_jti text,
    initiated_by text,
    issued_at timestamptz not null,
    expires_at timestamptz not null
  )`,
  // Descendants of a token, walked by every revocation.
  `create index token_by_parent on token (parent_jti) where parent_jti is not null`,
  // Live tokens of a client or one of its agents, and the purge of dead ones.
  `create index token_by_client on token (client_id, agent_id, expires_at)`,
  `create index token_by_expiry on token (expires_at)`,
  // expires_at comes from inside the signed artefact, so one artefact always falls into one place (attack 130).
  `create table replay (
    kind text not null check (kind in ('client_assertion', 'dpop', 'key_statement')),
    owner text not null,
    jti text not null,
    expires_at timestamptz not null,
    primary key (kind, owner, jti)
  )`,
  `create index replay_by_expiry on replay (expires_at)`,
  // Written under the exclusive gate only, so seq is the order of commits.
  `create table revocation (
    seq bigint generated always as identity primary key,
    kind text not null
      check (kind in ('token', 'registration', 'agent', 'client', 'execution', 'initiator', 'key')),
    id text not null,
    reason text not null,
    revoked_by text not null,
    revoked_at timestamptz not null,
    ends_at timestamptz not null,
    lifted_at timestamptz
  )`,
  `create index revocation_standing on revocation (kind, id) where lifted_at is null`,
  `create index revocation_by_end on revocation (ends_at)`,
  `create table signing_key (
    kid text primary key,
    purpose text not null check (purpose in ('token')),
    alg text not null check (alg in ('ES256', 'EdDSA', 'PS256', 'RS256')),
    state text not null check (state in ('next', 'active', 'retiring', 'retired', 'compromised')),
    public_jwk jsonb not null,
    private_sealed bytea,
    created_at timestamptz not null,
    active_at timestamptz,
    retiring_at timestamptz,
    retired_at timestamptz
  )`,
  `create unique index signing_key_one_active on signing_key (purpose, alg) where state = 'active'`,
  `create table sealing_canary (
    id smallint primary key check (id = 1),
    kek_id text not null,
    sealed bytea not null
  )`,
  `create table server_secret (
    name text primary key,
    sealed bytea not null,
    created_at timestamptz not null
  )`,
  // One row for ever: whoever inserts it is the first administrator.
  `create table bootstrap (
    id smallint primary key check (id = 1),
    client_id text not null references client,
    used_at timestamptz not null
  )`,
  `create table idempotency (
    client_id text not null,
    idempotency_key text not null,
    endpoint text not null,
    request_digest bytea not null,
    response_status integer not null,
    response_body jsonb not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    primary key (client_id, idempotency_key)
  )`,
  `create index idempotency_by_expiry on idempotency (expires_at)`,
  `create table audit_event (
    id uuid primary key,
    at timestamptz not null,
    action text not null,
    outcome text not null check (outcome in ('success', 'refused')),
    reason text,
    actor text not null,
    client_id text,
    agent_id text,
    execution_id text,
    jti text,
    request_id text not null,
    address text,
    details jsonb not null,
    leaf_hash bytea not null,
    seal_seq bigint
  )`,
  `create index audit_event_by_client on audit_event (client_id, id)`,
]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}
