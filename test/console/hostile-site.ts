import { createServer } from 'node:http'
import { after } from 'node:test'

export type HostileSite = {
  /** Another port of the same host: the same site to a browser, which therefore sends along every cookie. */
  readonly sameSite: string
  /** The same machine by another name: another site. */
  readonly otherSite: string
  /** What the page at `/` is from now on. */
  readonly serve: (html: string) => void
  /** The headers of each request, as a text. */
  readonly heard: readonly string[]
}

/** A web server that a signed-in administrator happens to visit. */
export async function startHostileSite(): Promise<HostileSite> {
  let page = ''
  const heard: string[] = []
  const server = createServer((request, response) => {
    heard.push(request.rawHeaders.join('\n'))
    response.setHeader('content-type', 'text/html; charset=utf-8')
    response.end(request.url === '/' ? page : '<p>something of ours</p>')
  })
  const listening = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', listening.resolve)
  await listening.promise
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    sameSite: `http://127.0.0.1:${port}`,
    otherSite: `http://localhost:${port}`,
    serve: html => {
      page = html
    },
    heard,
  }
}

/**
 * Everything a page can send without asking first, and what it could hope to get by asking. Runs in the page; its result
 * is what it could read of the answers.
 */
export function forgeries(admin: string, code: string): string {
  return `(async () => {
    const admin = ${JSON.stringify(admin)}
    const resource = JSON.stringify({ resource: 'https://forged.example', scopes: [{ name: 'read' }] })
    const signIn = JSON.stringify({ code: ${JSON.stringify(code)} })
    const read = []
    const tried = async (path, init) => {
      try {
        const response = await fetch(admin + path, { credentials: 'include', ...init })
        read.push(path + ' ' + response.type + ' ' + response.status + (await response.text()))
      } catch {}
    }
    const json = { 'content-type': 'application/json', 'x-remit-console': '1' }
    await tried('/admin/v1/resources', { method: 'POST', headers: json, body: resource })
    await tried('/admin/v1/resources', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: resource })
    await tried('/admin/v1/resources', { method: 'POST', mode: 'no-cors', body: resource })
    await tried('/console/session', { method: 'POST', mode: 'no-cors', body: signIn })
    await tried('/console/session', { method: 'POST', headers: json, body: signIn })
    await tried('/console/session', { method: 'DELETE', headers: { 'x-remit-console': '1' } })
    await tried('/console/session', { method: 'DELETE' })
    await tried('/admin/v1/clients', {})
    await tried('/admin/v1/clients', { mode: 'no-cors' })
    await tried('/admin/v1/clients', { headers: { 'x-remit-console': '1' } })
    navigator.sendBeacon(admin + '/admin/v1/resources', new Blob([resource], { type: 'text/plain' }))
    const loads = [['img', '/admin/v1/clients'], ['img', '/console/session'], ['script', '/admin/v1/clients'],
      ['script', '/console/session'], ['script', '/console/assets/app.js']]
    for (const [name, path] of loads) {
      const element = document.createElement(name)
      const done = new Promise(resolve => { element.onload = () => resolve('loaded'); element.onerror = () => resolve('') })
      element.src = admin + path
      document.body.append(element)
      if (await done) read.push(name + ' ' + path)
    }
    const forms = [['/admin/v1/resources', resource], ['/console/session', signIn]]
    for (const [path, text] of forms) {
      const frame = document.createElement('iframe')
      frame.name = 'sink' + path
      const shown = new Promise(resolve => { frame.onload = resolve })
      document.body.append(frame)
      await shown
      const form = document.createElement('form')
      Object.assign(form, { action: admin + path, method: 'post', enctype: 'text/plain', target: frame.name })
      const field = document.createElement('input')
      Object.assign(field, { name: text.slice(0, -1) + ',"a":"', value: '"}' })
      form.append(field)
      document.body.append(form)
      const answered = new Promise(resolve => { frame.onload = resolve })
      form.submit()
      await answered
    }
    return read.filter(text => !/ opaque 0$/.test(text))
  })()`
}
