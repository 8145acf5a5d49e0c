import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Env, freeAddresses, remit, run, serve, workingDirectory } from '../cli/remit.ts'
import { freePorts } from '../support/free-ports.ts'
import { answerOf, start } from './examples.ts'
import { bring, ROOT } from './installed.ts'

// A newcomer's first hour: the command lines of the README on a new server, word for word but for the ports.

const BOUND = { timeout: 300_000 }
const cwd = await workingDirectory()
const { env, issuer } = await freeAddresses()
await serve(cwd, env)
const api = `http://127.0.0.1:${(await freePorts())[0]}`

/** The documents and examples as they stand, with the ports of this test. */
async function document(path: string): Promise<string> {
  const text = await readFile(join(ROOT, path), 'utf8')
  return text.replaceAll('http://127.0.0.1:4000', issuer).replaceAll('http://127.0.0.1:3000', api)
}

/** `npm run -s remit -- …` of a section, as words; quotes hold some together. */
function commandsUnder(heading: string, markdown: string): readonly (readonly string[])[] {
  const [, rest = ''] = markdown.split(`\n## ${heading}\n`)
  const [section = ''] = rest.split('\n## ')
  const lines = [...section.matchAll(/(?:^|`)npm run (?:-s )?remit -- ([^`\n]+)/gm)]
  return lines.map(([, words = '']) =>
    [...words.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare = '']) => quoted ?? bare),
  )
}

/** One command as the README has it. Throws where it fails. */
async function follow(words: readonly string[], more: Env = {}): Promise<string> {
  const { code, stdout, stderr } = await remit(cwd, words, { ...env, ...more })
  assert.equal(code, 0, `remit ${words.join(' ')}: ${stderr}`)
  return stdout
}

test('the README from an empty server to a protected call, and to the refusal of a changed prompt', BOUND, async t => {
  await mkdir(join(cwd, 'examples'))
  for (const name of await readdir(join(ROOT, 'examples'))) {
    if (/\.(?:ts|yaml)$/.test(name)) await writeFile(join(cwd, 'examples', name), await document(`examples/${name}`))
  }
  await writeFile(join(cwd, 'package.json'), '{"type":"module"}')
  await bring(cwd, 'express')
  await symlink(ROOT, join(cwd, 'node_modules/remit'))
  const readme = await document('README.md')

  const [init = []] = commandsUnder('Run it', readme)
  const [createApi = []] = commandsUnder('Protect an API', readme)
  const [createClient = [], createAgent = [], settings = [], ...others] = commandsUnder('Protect an agent', readme)
  assert.deepEqual(
    [init[0], createApi, createClient.slice(0, 2), createAgent.slice(0, 2), settings.slice(0, 2), others],
    [
      ...['init', ['resource', 'create', 'examples/api.yaml'], ['client', 'create'], ['agent', 'create']],
      ...[['agent', 'settings'], []],
    ],
  )
  for (const words of [init, createApi, createClient, createAgent, settings]) await follow(words)

  const served = start(t, join(cwd, 'examples/express-api.ts'), { PATH: process.env.PATH })
  assert.equal((await answerOf(`${api}/pages/7`, served)).status, 401)
  const agent = await run(process.execPath, ['examples/agent.ts'], { cwd })
  assert.deepEqual([agent.code, agent.stdout], [0, '200 {"page":"7"}\n'], agent.stderr)

  const source = await readFile(join(cwd, 'examples/agent.ts'), 'utf8')
  const changed = source.replace('about pages', 'about everything')
  assert.notEqual(changed, source)
  await writeFile(join(cwd, 'examples/changed.ts'), changed)
  const refused = await run(process.execPath, ['examples/changed.ts'], { cwd })
  assert.notEqual(refused.code, 0)
  assert.match(refused.stderr, /agent_checksum_mismatch/)

  // What docs/shim.md says to do about it: the components as they are in use, in a file for `remit agent create`.
  const [, lines = ''] =
    /\n```ts\n(const agent = createAgent[^`]*agent\.components\(\)[^`]*)```/.exec(await document('docs/shim.md')) ?? []
  const whole = [
    "import { writeFile } from 'node:fs/promises'",
    changed.replace(/^const \{ fetch \}[\s\S]*$/m, 'const TOOLS = [] as const'),
    lines,
  ]
  await writeFile(join(cwd, 'examples/components.ts'), whole.join('\n'))
  const wrote = await run(process.execPath, ['examples/components.ts'], { cwd })
  assert.equal(wrote.code, 0, wrote.stderr)
  await follow(createAgent.map(word => (word === 'examples/agent.yaml' ? 'planner.json' : word)))
  const again = await run(process.execPath, ['examples/changed.ts'], { cwd })
  assert.deepEqual([again.code, again.stdout], [0, '200 {"page":"7"}\n'], again.stderr)
})
