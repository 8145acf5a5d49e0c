import { type Kysely, sql } from 'kysely'

/*
 * The registry's administration. Added columns have defaults, so that a node of the release before can go on writing.
 */
const STATEMENTS = [
  // A deleted client, agent or resource keeps its row: names are never given out again (protocol.md section 9).
  `alter table client
    add column jwks_uri text,
    add column updated_at timestamptz,
    drop constraint client_status_check,
    add constraint client_status_check check (status in ('active', 'revoked', 'deleted'))`,
  `create index client_by_owner on client (owner, client_id)`,
  `update client set policies = '{"agent_keys": "registered", "max_endorsed_keys": 1000, "max_drain_seconds": 3600,
    "shim": "off"}'::jsonb || policies`,

  `alter table resource
    add column chain_disclosure text not null default 'actors'
      check (chain_disclosure in ('actors', 'hash', 'proofs')),
    add column workflow_names text not null default 'plain' check (workflow_names in ('plain', 'pairwise')),
    add column updated_at timestamptz,
    drop constraint resource_status_check,
    add constraint resource_status_check check (status in ('active', 'revoked', 'deleted'))`,

  `alter table agent
    add column suspended_owner text,
    add column suspended_at timestamptz,
    add column suspend_reason text`,

  // Pages of what needs somebody's attention: suspended agents, and versions that wait for a decision.
  `create index agent_out_of_order on agent (status, client_id, agent_id) where status <> 'active'`,
  `create index registration_pending on registration (client_id, agent_id) where status = 'pending'`,

  // The thumbprint that endorsed a key: revoking that one covers this one. A removed key may come back, a revoked never.
  `alter table agent_key
    add column endorsed_by text,
    add column revoked_at timestamptz`,
  `create index agent_key_by_endorser on agent_key (endorsed_by) where endorsed_by is not null`,
  // Everybody who ever endorsed a key: revoking any of them covers it.
  `create table agent_key_endorsement (
    endorsed_by text not null,
    jkt text not null references agent_key,
    primary key (endorsed_by, jkt)
  )`,
  // Rows of endorsed keys stay for ever, so what is current has its own indexes.
  `create index agent_key_registered on agent_key (client_id, agent_id)
    where source = 'registered' and removed_at is null`,
  `create index agent_key_endorsed on agent_key (client_id, agent_id, expires_at)
    where source = 'endorsed' and removed_at is null`,

  // A rejected version is retired; why a version waited stays readable after it was decided.
  `alter table registration
    add column pending_for jsonb not null default '["require_approval"]',
    add column content_digest bytea,
    add column rejected_at timestamptz,
    add column rejected_by text,
    add column reject_reason text`,
  // The release before said it in the audit only. Where nothing says it, the version is taken to have waited, so that
  // only an approval makes it one to go back to.
  `update registration set pending_for = event.details -> 'pending_for'
    from audit_event as event
    where event.action = 'agent.register' and event.outcome = 'success'
      and event.details ->> 'registration_id' = registration.registration_id
      and jsonb_typeof(event.details -> 'pending_for') = 'array'`,
  // Same content under another agent_id of the client: the components without their agent_id.
  `create index registration_by_content on registration (client_id, content_digest) where content_digest is not null`,

  `alter table workflow
    drop constraint workflow_status_check,
    add constraint workflow_status_check check (status in ('active', 'deregistered', 'revoked'))`,
  `alter table workflow_version
    drop constraint workflow_version_status_check,
    add constraint workflow_version_status_check check (status in ('pending', 'active', 'superseded', 'rejected')),
    add column rejected_at timestamptz,
    add column rejected_by text,
    add column reject_reason text`,
  // The live tokens of one workflow: its revocation writes an entry for each.
  `create index token_by_workflow on token (client_id, workflow_id, expires_at) where workflow_id is not null`,

  `create table shim_release (
    version text primary key,
    checksum text not null unique check (checksum ~ '^[0-9a-f]{64}$'),
    minimum boolean not null,
    status text not null check (status in ('released', 'withdrawn')),
    released_at timestamptz not null,
    released_by text not null,
    withdrawn_at timestamptz
  )`,

  // One row a link; the browser that trades the code for a session fills the rest: digests of the cookie's secret and of
  // the marker that the page keeps.
  `create table console_session (
    code_digest bytea primary key,
    client_id text not null references client,
    sub text not null,
    acting_owner text not null,
    scope text not null,
    jti text not null,
    created_at timestamptz not null,
    code_expires_at timestamptz not null,
    session_digest bytea unique,
    marker_digest bytea,
    expires_at timestamptz,
    ended_at timestamptz,
    check ((session_digest is null) = (marker_digest is null))
  )`,
  `create index console_session_by_creation on console_session (created_at)`,

  // What was signed before a restore may have been used since the backup: nothing older than not_before is taken.
  `create table restore_epoch (
    id smallint primary key check (id = 1),
    not_before timestamptz not null,
    backup_created_at timestamptz not null
  )`,

  // From then on nobody approves their own acts any more, whatever becomes of the other administrators.
  `create table second_administrator (
    id smallint primary key check (id = 1),
    since timestamptz not null
  )`,

  // Filters of the audit trail and "remit explain".
  `create index audit_event_by_agent on audit_event (client_id, agent_id, id) where agent_id is not null`,
  `create index audit_event_by_jti on audit_event (jti) where jti is not null`,
  `create index audit_event_by_reason on audit_event (reason, id) where reason is not null`,
  `create index audit_event_by_execution on audit_event (execution_id, id) where execution_id is not null`,
]

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}
