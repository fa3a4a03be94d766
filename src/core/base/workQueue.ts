/** Wake-ups between invocations. */

/** Wake-ups. The tables hold the work that is due, so a lost message delays work and loses none. */
export interface WorkQueue<Message> {
  send(message: Message, delayMs?: number): Promise<void>;
}
