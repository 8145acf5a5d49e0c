import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../demo/remit-server.ts'
import { RemitNode } from '../node.ts'
import { PostgresServer } from '../postgres.ts'
import type { FaultPromise } from '../promise.ts'

/** Each loses what was acknowledged when the machine stops. */
const LOSSY = [{ fsync: 'off' }, { full_page_writes: 'off' }, { synchronous_commit: 'off' }] as const

/** R2: in production a server does not start on a database that may forget what it said. */
export const durableOnly: FaultPromise = {
  ids: ['R2'],
  title: 'start in production on a Postgres with a setting that loses data, and on one without',
  run: async ({ dir, defer, say }) => {
    const postgres = await PostgresServer.create(join(dir, 'postgres'), defer)
    const dataDir = join(dir, 'data')
    await mkdir(dataDir)
    const [kek, token] = [join(dataDir, 'kek'), join(dataDir, 'token')]
    await writeFile(kek, `${'5a'.repeat(32)}\n`, { mode: 0o600 })
    await writeFile(token, `${'t'.repeat(43)}\n`, { mode: 0o600 })
    const env = {
      ...{ NODE_ENV: 'production', REMIT_ISSUER: 'https://remit.faults.example', DATABASE_URL: postgres.url() },
      ...{ REMIT_KEK_FILE: kek, REMIT_BOOTSTRAP_TOKEN_FILE: token },
    }
    const begin = async () => {
      const node = new RemitNode({ port: await freePort(), adminPort: await freePort(), dataDir, env })
      defer(() => node.kill())
      node.launch()
      const ready = node.untilReady().then(
        () => 'it is ready',
        () => 'it ended',
      )
      return { node, came: await Promise.race([ready, node.ended]) }
    }
    const accepted: string[] = []
    for (const lossy of LOSSY) {
      const [[name = '', value = ''] = []] = Object.entries(lossy)
      await postgres.stop()
      postgres.set(lossy)
      await postgres.start()
      const { node, came } = await begin()
      const refused = came !== 'it is ready' && node.log.includes(name)
      if (!refused) accepted.push(`${name}=${value}`)
      say(`${name}=${value}: ${refused ? 'refused' : came}`)
      await node.kill()
      postgres.set({ [name]: 'on' })
    }
    await postgres.stop()
    await postgres.start()
    const { node, came } = await begin()
    await node.stop()
    const refused = `${LOSSY.length - accepted.length} of ${LOSSY.length} lossy settings refused`
    return [
      {
        id: 'R2',
        figure: `${refused}${accepted.map(name => `, not ${name}`).join('')}; with all of them on: ${came}`,
        ok: accepted.length === 0 && came === 'it is ready',
      },
    ]
  },
}
