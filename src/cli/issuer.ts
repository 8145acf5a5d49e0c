import { type Command, Option } from 'commander'
import { z } from 'zod'
import { ISSUER_PURPOSES } from '../protocol/trusted-issuer.ts'
import { adminClient, listAll, type Row, readRecord } from './admin-client.ts'
import { namedScopes } from './client-path.ts'
import { readObject } from './files.ts'
import { recordText, tableText } from './output.ts'
import { openSession, type Session } from './session.ts'

const PATH = '/admin/v1/trusted-issuers'
const COLUMNS = ['name', 'purpose', 'issuer', 'audience', 'clients', 'status']

const CREATE_HELP = `
FILE holds the record, in JSON or YAML, for example people who administrate:
  name: staff
  issuer: https://login.example.com
  purpose: operator
  audience: remit-cli
  jwks_uri: https://login.example.com/jwks
  algs: [RS256]
  clients: [cli]
  claims: { tid: 3f6c }
  access_by_claim:
    - claim: groups
      value: agent-approvers
      access: [{ resource: "http://127.0.0.1:4000/admin", scope: "approve:agents approve:steps" }]
"purpose" is user (people who start executions), operator (people who administrate) or workload (CI that registers). The
name becomes part of subject names, as user:staff:42, and is never given out again.`
const UPDATE_HELP = `
FILE holds the members to change, in JSON or YAML; those left out stay, for example:
  clients: [cli, ops]`

const listOptions = z.object({ purpose: z.string().optional(), status: z.string().optional() })
const deleteOptions = z.object({ reason: z.string() })

/** `remit issuer …`: whose tokens are exchanged here (protocol.md section 6). */
export function addIssuerCommand(program: Command): void {
  const issuer = program.command('issuer').description('the identity providers whose tokens are exchanged here')
  issuer
    .command('create')
    .description('trust an issuer for one purpose')
    .argument('<file>', 'JSON or YAML file, "-" for standard input')
    .addHelpText('after', CREATE_HELP)
    .action(async (file: string, _options, command: Command) => {
      const session = openSession(command)
      const body = await readObject(file)
      const api = await adminClient(session, ...(await namedScopes(session, accessesOf(body))))
      show(session, readRecord(await api.post(PATH, body)))
    })
  issuer
    .command('list')
    .description('list the trusted issuers; deleted ones only with --status deleted')
    .addOption(new Option('--purpose <purpose>').choices(ISSUER_PURPOSES))
    .addOption(new Option('--status <status>').choices(['active', 'deleted']))
    .action(async (_options, command: Command) => {
      const session = openSession(command)
      const { purpose, status } = listOptions.parse(command.opts())
      const filter = { ...(purpose && { purpose }), ...(status && { status }) }
      const rows = await listAll(await adminClient(session, 'admin:clients'), PATH, filter)
      session.out.result(rows, tableText(COLUMNS, rows))
    })
  issuer
    .command('show')
    .description('show one trusted issuer')
    .argument('<name>')
    .action(async (name: string, _options, command: Command) => {
      const session = openSession(command)
      show(session, await recordOf(session, name))
    })
  addIssuerChangeCommands(issuer)
}

function addIssuerChangeCommands(issuer: Command): void {
  issuer
    .command('update')
    .description('change a trusted issuer; acts at the next exchange')
    .argument('<name>')
    .argument('<file>', 'JSON or YAML file of the members to change, "-" for standard input')
    .addHelpText('after', UPDATE_HELP)
    .action(async (name: string, file: string, _options, command: Command) => {
      const session = openSession(command)
      const body = await readObject(file)
      // Whoever changes a record needs every admin scope that it then gives.
      const next = { ...(await recordOf(session, name)), ...body }
      const api = await adminClient(session, ...(await namedScopes(session, accessesOf(next))))
      show(session, readRecord(await api.patch(pathOf(name), body)))
    })
  issuer
    .command('delete')
    .description('trust an issuer no more, for good; its name is never given out again')
    .argument('<name>')
    .requiredOption('--reason <text>', 'why, for the audit trail')
    .action(async (name: string, _options, command: Command) => {
      const session = openSession(command)
      const { reason } = deleteOptions.parse(command.opts())
      const api = await adminClient(session, 'admin:clients')
      const { note, ...record } = readRecord(await api.delete(pathOf(name), { reason }))
      session.out.note(String(note))
      show(session, record)
    })
}

function pathOf(name: string): string {
  return `${PATH}/${encodeURIComponent(name)}`
}

async function recordOf(session: Session, name: string): Promise<Row> {
  const api = await adminClient(session, 'admin:clients')
  return readRecord(await api.get(pathOf(name)))
}

/** Every access in a record, however malformed the rest; the server says what is wrong with it. */
function accessesOf({ access, access_by_claim }: Readonly<Record<string, unknown>>): readonly unknown[] {
  const byClaim = z.array(z.looseObject({ access: z.unknown() })).safeParse(access_by_claim).data ?? []
  return [access, ...byClaim.map(entry => entry.access)]
}

function show({ out }: Session, record: Row): void {
  out.result(record, recordText(record))
}
