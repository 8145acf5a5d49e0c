import { type Kysely, sql } from 'kysely'

/*
 * What the server knows itself instead of the caller's word: whose tokens of others count, executions and their steps,
 * approvals, signed delegation. Columns added to older tables may be null, so that a node of the release before can go on.
 */
const STATEMENTS = [
  // Several records of one issuer: one for each purpose and each set of claims (a tenant of a shared issuer).
  `create table trusted_issuer (
    name text primary key check (name <> 'local'),
    issuer text not null,
    purpose text not null check (purpose in ('user', 'operator', 'workload')),
    audience text not null,
    jwks jsonb,
    jwks_uri text,
    algs jsonb not null,
    typs jsonb not null,
    typ_may_be_absent boolean not null,
    clients jsonb not null,
    max_age integer not null check (max_age > 0),
    claims jsonb not null,
    acr_values jsonb not null,
    access jsonb,
    access_by_claim jsonb not null,
    status text not null check (status in ('active', 'deleted')),
    created_at timestamptz not null,
    created_by text not null,
    updated_at timestamptz,
    check ((jwks is null) <> (jwks_uri is null))
  )`,
  `create index trusted_issuer_by_issuer on trusted_issuer (issuer, name)`,

  // opening: digest of what opened it, by which the same request finds it again (protocol.md section 6).
  `create table execution (
    execution_id text primary key,
    client_id text not null,
    workflow_id text not null,
    workflow_version integer not null,
    initiated_by text not null,
    access jsonb,
    intent_digest text,
    limits jsonb not null,
    opening bytea,
    opened_by text not null,
    opened_at timestamptz not null,
    expires_at timestamptz not null,
    status text not null check (status in ('open', 'closed', 'revoked')),
    ended_at timestamptz,
    tokens integer not null check (tokens >= 0),
    foreign key (client_id, workflow_id, workflow_version) references workflow_version
  )`,
  `create unique index execution_opening on execution (client_id, opening) where opening is not null`,
  `create index execution_by_workflow on execution (client_id, workflow_id, expires_at)`,
  `create index execution_open_by_client on execution (client_id, expires_at) where status = 'open'`,
  `create index execution_open_by_initiator on execution (initiated_by, expires_at) where status = 'open'`,
  `create index execution_by_time on execution (opened_at, execution_id)`,
  `create index execution_by_client on execution (client_id, opened_at, execution_id)`,
  `create index execution_by_initiator on execution (initiated_by, opened_at, execution_id)`,
  `create index execution_ended on execution (status, opened_at, execution_id) where status in ('closed', 'revoked')`,
  `create index execution_by_expiry on execution (expires_at)`,

  // A gate is in the record (granted) from the moment an approval it guards is granted; no agent ever enters it.
  `create table execution_step (
    execution_id text not null references execution on delete cascade,
    step_id text not null,
    state text not null check (state in ('entered', 'left', 'granted')),
    entries integer not null,
    tokens integer not null,
    entered_at timestamptz not null,
    left_at timestamptz,
    primary key (execution_id, step_id)
  )`,

  // For one step of one execution and one arguments_digest; entry: the entry of the step that consumed it.
  `create table approval (
    approval_id text primary key,
    execution_id text not null references execution on delete cascade,
    client_id text not null,
    workflow_id text not null,
    step_id text not null,
    agent_id text not null,
    resource text not null,
    scope text not null,
    arguments_digest text,
    arguments_sealed bytea,
    status text not null check (status in ('pending', 'granted', 'denied')),
    opened_at timestamptz not null,
    decided_at timestamptz,
    decided_by text,
    decided_owner text,
    decision_reason text,
    entry integer,
    consumed_at timestamptz,
    check ((arguments_digest is null) = (arguments_sealed is null))
  )`,
  `create unique index approval_unconsumed on approval (execution_id, step_id, coalesce(arguments_digest, ''))
    where status = 'pending' or (status = 'granted' and entry is null)`,
  `create index approval_by_execution on approval (execution_id, step_id)`,
  `create index approval_pending on approval (opened_at, approval_id) where status = 'pending'`,
  `create index approval_pending_of_client on approval (client_id, opened_at) where status = 'pending'`,
  `create index approval_by_time on approval (opened_at, approval_id)`,

  // delegation_id: base64url SHA-256 of the assertion, what \`prev\` of the next one names. One row an assertion that was
  // presented; revoked_at ends it for good, because entries of revocations end after minutes.
  `create table delegation (
    delegation_id text primary key,
    client_id text not null,
    delegator text not null,
    delegate text not null,
    jti text not null,
    parent_jti text not null,
    parent_delegation_id text,
    execution_id text,
    workflow_step text,
    delegator_jkt text not null,
    jkt text not null,
    scope text not null,
    resource text not null,
    chain jsonb not null,
    assertion text not null,
    issued_at timestamptz not null,
    expires_at timestamptz not null,
    presented_at timestamptz not null,
    revoked_at timestamptz,
    unique (delegator, jti)
  )`,
  `create index delegation_by_parent on delegation (parent_jti)`,
  `create index delegation_by_above on delegation (parent_delegation_id) where parent_delegation_id is not null`,
  `create index delegation_by_client on delegation (client_id, expires_at)`,
  `create index delegation_by_expiry on delegation (expires_at)`,
  `create index delegation_by_execution on delegation (execution_id) where execution_id is not null`,

  // Where approvers are told (Standard Webhooks); what is due is an outbox, written with what it tells.
  `create table webhook (
    webhook_id text primary key,
    url text not null,
    secret_sealed bytea,
    status text not null check (status in ('active', 'gone', 'deleted')),
    created_at timestamptz not null,
    created_by text not null,
    check ((status = 'active') = (secret_sealed is not null))
  )`,
  `create table webhook_delivery (
    delivery_id text primary key,
    webhook_id text not null references webhook,
    event_type text not null,
    payload text not null,
    attempts integer not null,
    next_attempt_at timestamptz not null,
    created_at timestamptz not null,
    delivered_at timestamptz,
    failed_at timestamptz,
    last_result text
  )`,
  `create index webhook_delivery_due on webhook_delivery (webhook_id, next_attempt_at)
    where delivered_at is null and failed_at is null`,
  `create index webhook_delivery_by_webhook on webhook_delivery (webhook_id, created_at, delivery_id)`,
  `create index webhook_delivery_by_time on webhook_delivery (created_at)`,

  // Last, because from here on nobody reads tokens until the migration is done.
  `create index token_by_execution on token (execution_id, issued_at) where execution_id is not null`,
  `alter table token
    add column delegation_id text,
    add column approval_id text,
    add column step_entry integer,
    add column revoked_at timestamptz`,
  `create index token_by_delegation on token (delegation_id) where delegation_id is not null`,
]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}
