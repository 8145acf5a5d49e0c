import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from '@fastify/type-provider-zod'
import Fastify from 'fastify'
import { CONSOLE_FILES, type ConsoleFiles, readConsoleFiles } from '../../src/server/http/console/files.ts'
import { consolePageRoutes } from '../../src/server/http/console/page.ts'
import { startTestApp } from '../support/app.ts'

const app = await startTestApp()
const own = new URL(app.adminUrl)

const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'none'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

async function givenFiles(): Promise<{ directory: string; url: URL }> {
  const directory = await mkdtemp(join(tmpdir(), 'remit-console-'))
  after(() => rm(directory, { recursive: true }))
  await mkdir(join(directory, 'assets'))
  for (const { name } of CONSOLE_FILES) await writeFile(join(directory, name), `content of ${name}`)
  for (const name of ['secret.txt', 'assets/secret.txt']) await writeFile(join(directory, name), 'no part of it')
  return { directory, url: pathToFileURL(`${directory}/`) }
}

async function pageApp(files: ConsoleFiles | undefined) {
  const bare = Fastify({ routerOptions: { caseSensitive: true } }).withTypeProvider<ZodTypeProvider>()
  bare.setValidatorCompiler(validatorCompiler)
  bare.setSerializerCompiler(serializerCompiler)
  await bare.register(consolePageRoutes, { home: '/op/console/', files })
  return bare
}

test('[attack 113] the page loads and runs only what this listener serves, and nobody frames it', async () => {
  const bare = await pageApp(await readConsoleFiles((await givenFiles()).url))
  for (const { name, path, type } of CONSOLE_FILES) {
    const { statusCode, headers, body } = await bare.inject(path)
    assert.equal(statusCode, 200, path)
    assert.equal(body, `content of ${name}`)
    assert.equal(headers['content-type'], type)
    assert.equal(headers['content-security-policy'], CSP)
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin')
    assert.match(String(headers['permissions-policy']), /^camera=\(\), .*usb=\(\)$/)
  }
  const moved = await bare.inject('/console')
  assert.deepEqual([moved.statusCode, moved.headers.location], [302, '/op/console/'])
})

test('[attack 113] every answer of the admin listener is neither framed, sniffed, cached nor told to whom it links', async () => {
  for (const path of ['/console/', '/console/assets/app.js', '/console/session', '/admin/v1/clients', '/nothing']) {
    const { headers } = await fetch(`${app.adminUrl}${path}`)
    assert.equal(headers.get('x-frame-options'), 'DENY', path)
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path)
    assert.equal(headers.get('referrer-policy'), 'no-referrer', path)
    assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin', path)
    assert.equal(headers.get('cache-control'), 'no-store', path)
  }
})

test('no part of a request names a file: what is not listed is not there', async () => {
  const { directory, url } = await givenFiles()
  const bare = await pageApp(await readConsoleFiles(url))
  const paths = [
    ...['/console/secret.txt', '/console/assets/secret.txt', '/console/assets/../secret.txt'],
    ...['/console/assets/%2e%2e/secret.txt', '/console/assets/..%2fsecret.txt', '/console/assets/index.html'],
    ...['/console/assets/', '/console/assets', '/console/assets/app.js/', '/console/assets/APP.JS', '/console//'],
    `/console/assets/${encodeURIComponent(join(directory, 'secret.txt'))}`,
  ]
  for (const path of paths) {
    assert.equal((await bare.inject(path)).statusCode, 404, path)
    const response = await fetch(`${app.adminUrl}${path}`)
    assert.equal(response.status, 404, path)
  }
  await writeFile(join(directory, 'assets/app.js'), 'changed since')
  assert.equal(
    (await bare.inject('/console/assets/app.js')).body,
    'content of assets/app.js',
    'read once, at the start',
  )
})

test('a console that was not built, or is too large to be one, is a 503 page that says what to run', async () => {
  const { directory, url } = await givenFiles()
  await truncate(join(directory, 'assets/app.js'), 2 * 1024 * 1024 + 1)
  assert.ok((await readConsoleFiles(url)) === undefined)
  await rm(join(directory, 'assets/app.js'))
  assert.ok((await readConsoleFiles(url)) === undefined)
  const bare = await pageApp(undefined)
  for (const { path } of CONSOLE_FILES) {
    const { statusCode, headers, body } = await bare.inject(path)
    assert.equal(statusCode, 503, path)
    assert.equal(headers['content-type'], 'text/html; charset=utf-8')
    assert.match(String(headers['content-security-policy']), /^default-src 'none'/)
    assert.match(body, /npm run build:console/)
  }
})

test('the page takes GET and HEAD only, and its redirect keeps to this listener', async () => {
  const post = await fetch(`${app.adminUrl}/console/`, { method: 'POST' })
  assert.deepEqual([post.status, post.headers.get('allow')], [405, 'GET, HEAD'])
  const moved = await fetch(`${app.adminUrl}/console?next=//evil.example`, { redirect: 'manual' })
  assert.deepEqual([moved.status, moved.headers.get('location')], [302, '/console/'])
  assert.equal(own.pathname, '/')
})
