import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Drop, refusalReporter } from '../../src/verifier/refusal-reporter.ts'

const padding = 'x'.repeat(70_000)

/** What became of one report, where the server answers so. */
async function reported(token: () => Response, report: () => Response) {
  const drops: Drop[] = []
  let reports = 0
  const reporter = refusalReporter({
    ...{ issuer: 'https://idp.example.com', interval: 3600, onDrop: (drop: Drop) => drops.push(drop) },
    client: { client_id: 'pages-api', client_secret: 'a secret of forty characters, more or less' },
    fetch: async input => {
      if (String(input).endsWith('/oauth/token')) return token()
      reports += 1
      return report()
    },
  })
  reporter.onRefusal({ reason: 'exp_passed' })
  for (let attempt = 0; attempt < 5; attempt += 1) await reporter.flush()
  return { drops, reports }
}

test('an answer of the issuer that is longer than any of its answers is none: it must not fill the memory of an API (architecture.md section 4)', async () => {
  const granted = { access_token: 'abc', expires_in: 300 }
  const good = () => Response.json(granted)
  const done = () => Response.json({})
  assert.deepEqual(await reported(good, done), { drops: [], reports: 1 })
  const long = await reported(() => Response.json({ ...granted, padding }), done)
  assert.deepEqual(long, { drops: [{ n: 1, status: undefined, error: undefined }], reports: 0 })
  const refusal = { error: 'forbidden' }
  const refused = await reported(good, () => Response.json(refusal, { status: 403 }))
  assert.deepEqual(refused.drops, [{ n: 1, status: 403, error: 'forbidden' }])
  const longRefusal = await reported(good, () => Response.json({ ...refusal, padding }, { status: 403 }))
  assert.deepEqual(longRefusal.drops, [{ n: 1, status: 403, error: undefined }])
})
