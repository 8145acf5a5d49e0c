import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Kysely, sql } from 'kysely'
import { migrations } from '../../migrations/index.ts'
import { hasCounted } from '../../src/protocol/rollback-target.ts'
import type { Database } from '../../src/server/store/schema.ts'
import { createEmptyDatabase } from '../support/database.ts'

const AT = '2026-11-01T00:00:00Z'

async function givenOldClient(db: Kysely<Database>): Promise<void> {
  await sql`insert into client values ('app', 'App', 'user:local:anna', 'app', 'private_key_jwt', null, '[]', '[]', '[]',
    '{"require_approval": false}', 'active', ${AT}, 'otto')`.execute(db)
  await sql`insert into agent values ('app', 'planner', 'active', '[]', false, null, ${AT})`.execute(db)
}

type Old = { version: number; status: string; pending_for?: readonly string[]; approved?: boolean }

/** A version and its audit row as the release before writes them: without the new columns. */
async function givenOldVersion(db: Kysely<Database>, { version, status, pending_for, approved }: Old): Promise<void> {
  const registration_id = `reg_${version}`
  const checksum = String(version).padStart(64, '0')
  await sql`insert into registration (registration_id, client_id, agent_id, version, checksum, checksum_profile,
      components_sealed, status, drain_seconds, registered_at, registered_by, registered_owner, approved_at)
    values (${registration_id}, 'app', 'planner', ${version}, ${checksum}, 'jcs', '', ${status}, 0, ${AT}, 'app',
      'user:local:anna', ${approved ? AT : null})`.execute(db)
  if (pending_for === undefined) return
  const details = JSON.stringify({ registration_id, version, pending_for })
  await sql`insert into audit_event (id, at, action, outcome, actor, client_id, agent_id, request_id, details, leaf_hash)
    values (gen_random_uuid(), ${AT}, 'agent.register', 'success', 'app', 'app', 'planner', 'r', ${details}, '')`.execute(
    db,
  )
}

test('what waited under the release before, and was replaced, is no version to go back to; what counted is (section 4)', async context => {
  const { db, drop } = await createEmptyDatabase()
  context.after(drop)
  await migrations['001_core']?.up(db)
  await givenOldClient(db)
  await givenOldVersion(db, { version: 1, status: 'retired', pending_for: [] })
  await givenOldVersion(db, { version: 2, status: 'retired', pending_for: ['hidden-characters'] })
  await givenOldVersion(db, { version: 3, status: 'retired', pending_for: ['keys'], approved: true })
  await givenOldVersion(db, { version: 4, status: 'retired' })
  await givenOldVersion(db, { version: 5, status: 'pending', pending_for: ['require_approval'] })
  await migrations['002_administration']?.up(db)
  // A node that still runs goes on writing without the column.
  await givenOldVersion(db, { version: 6, status: 'retired' })
  const rows = await db
    .selectFrom('registration')
    .select(['version', 'status', 'pending_for', 'approved_at', 'rejected_at'])
    .orderBy('version')
    .execute()
  assert.deepEqual(
    rows.map(row => [row.version, row.pending_for, hasCounted(row)]),
    [
      [1, [], true],
      [2, ['hidden-characters'], false],
      [3, ['keys'], true],
      [4, ['require_approval'], false],
      [5, ['require_approval'], false],
      [6, ['require_approval'], false],
    ],
  )
})
