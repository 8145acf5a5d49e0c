import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { errorUri } from '../../protocol/error-catalogue.ts'
import { addressGroup } from '../address-group.ts'
import { answerAndClose } from './client-error.ts'
import { createInWork } from './in-work.ts'

/** Open at once, a listener. Each may send up to 64 KB before anything is decided: 256 MB at the very worst. */
const MOST_CONNECTIONS = 4_096
/** In times of what is free: one address gets at most half, two a third each, and others always find room. */
const ADDRESS_SHARE = 1
const RETRY_AFTER_SECONDS = 5

/** Bounds the sockets of a listener, and of one address there, so that nobody keeps the others out by holding them open. */
export function boundConnections(server: Server, issuer: string, most: number = MOST_CONNECTIONS): void {
  const open = createInWork(most)
  const body = JSON.stringify({
    error: 'temporarily_unavailable',
    error_description: 'Too many connections are open; close some, or try again later.',
    error_uri: errorUri(issuer, 'temporarily_unavailable'),
  })
  server.maxConnections = most
  server.on('connection', (socket: Socket) => {
    const leave = open.enter([{ name: addressGroup(socket.remoteAddress ?? ''), share: ADDRESS_SHARE }])
    if (leave) socket.once('close', leave)
    else answerAndClose(socket, '503 Service Unavailable', body, [`Retry-After: ${RETRY_AFTER_SECONDS}`])
  })
}
