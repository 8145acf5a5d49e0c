import type { Command } from 'commander'
import { z } from 'zod'
import { adminClient, listAll, readRecord } from './admin-client.ts'
import { recordText, tableText } from './output.ts'
import { openSession } from './session.ts'

const COLUMNS = ['version', 'checksum', 'minimum', 'status', 'released_at']
const PATH = '/admin/v1/shim-releases'
const addOptions = z.object({ minimum: z.boolean().default(false) })

/** remit shim-release add, list, withdraw. */
export function addShimReleaseCommand(program: Command): void {
  const release = program.command('shim-release').description('the versions of the shim that clients may run')
  release
    .command('add')
    .description('release a version by the checksum of its package')
    .argument('<version>', 'MAJOR.MINOR.PATCH')
    .argument('<checksum>', '64 lowercase hex digits, as shim-release.json of the package has them')
    .option('--minimum', 'clients with policy "shim: min_release" need this version or a newer one')
    .action(async (version: string, checksum: string, _options, command: Command) => {
      const session = openSession(command)
      const { minimum } = addOptions.parse(command.opts())
      const api = await adminClient(session, 'admin:resources')
      const record = readRecord(await api.post(PATH, { version, checksum, minimum }))
      session.out.result(record, recordText(record))
    })
  release
    .command('list')
    .description('list the releases, withdrawn ones too')
    .action(async (_options, command: Command) => {
      const session = openSession(command)
      const rows = await listAll(await adminClient(session, 'admin:resources'), PATH)
      session.out.result(rows, tableText(COLUMNS, rows))
    })
  release
    .command('withdraw')
    .description('withdraw a release: clients with policy "shim: min_release" cannot mint with it any more')
    .argument('<version>')
    .action(async (version: string, _options, command: Command) => {
      const session = openSession(command)
      const api = await adminClient(session, 'admin:resources')
      const record = readRecord(await api.delete(`${PATH}/${encodeURIComponent(version)}`))
      session.out.result(record, recordText(record))
    })
}
